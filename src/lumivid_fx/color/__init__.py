"""Curves on tensors, spaces and views on frames: pure, and all that names PyOpenColorIO.

transfer         LogC3, ACEScct, PQ, HLG as one small family
spaces           one OpenColorIO config: conversions, primaries, SDR views
config           that config, completed in memory with the spaces every render needs
display_curves   sRGB, BT.1886 and gamma 2.2 on Rec.709
ocio_config      the config of ocio/: primaries, camera_curves, scene_spaces, filmic, looks
ocio_merge       ours in a studio's config; ocio_probe tells whether two spaces are one
ocio_check       a config's soundness, and its curves beside our tensors
"""

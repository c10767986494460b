"""LTX-2.3 at its full size with random weights on a CUDA card, beside diffusers' own pipeline."""

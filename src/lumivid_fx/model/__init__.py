"""Weights to modules: checkpoints, LoRA, the video half of LTX-2, and the embedded model."""

"""From HDR environment maps to weights: clips, degradations, flow matching, the trainer."""

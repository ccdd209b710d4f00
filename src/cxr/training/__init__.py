"""From batches to weights: augmentation, step, loop, checkpoints."""

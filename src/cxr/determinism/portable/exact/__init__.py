"""Products without a rounding inside: matrices and convolutions."""

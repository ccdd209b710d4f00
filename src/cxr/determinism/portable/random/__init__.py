"""Random numbers, and the weights that are drawn with them."""

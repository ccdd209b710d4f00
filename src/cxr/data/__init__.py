"""Where images and labels come from: sources, splits, order, decoding and its cache."""

"""Documents made from records and comparisons: values in, text out."""

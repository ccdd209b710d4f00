"""Building networks, and their weights in and out."""

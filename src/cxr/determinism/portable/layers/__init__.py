"""What networks are built of, forward and backward."""

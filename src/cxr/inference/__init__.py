"""What a trained model says of images that belong to no split."""

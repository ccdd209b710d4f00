"""Looking at one image by itself: what it is, and what is wrong with it."""

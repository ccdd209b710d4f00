"""From the bytes of a file to pixels, and the cache of them."""

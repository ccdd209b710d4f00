"""Faults planted on purpose, here and now, and the evidence that must show each of them."""

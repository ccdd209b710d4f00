"""Sums in one order, and what is made of them."""

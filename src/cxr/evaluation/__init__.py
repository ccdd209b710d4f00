"""Predictions and the figures computed from them."""

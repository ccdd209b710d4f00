"""Signed provenance of a run: who vouches for what went in and what came out."""

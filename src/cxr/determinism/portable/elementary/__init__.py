"""Functions of one element as fixed sequences of IEEE operations."""

"""Reproducing a recorded run: check what differs here, put right what can be, run it, compare."""

"""Intervals and tests: from plain arrays to numbers, without knowing of runs or records."""

"""Drawing radiographs from a seed, for examples and tests."""

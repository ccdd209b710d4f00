"""Releases on a model hub: sent there, and fetched once every file is checked."""

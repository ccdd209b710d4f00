"""Comparing what runs left behind: diff, verify, replay."""

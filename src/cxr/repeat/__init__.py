"""Running one recipe many times, each in a fresh process, and what that shows."""

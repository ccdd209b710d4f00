"""A run's model as a service: HTTP around `cxr.inference`, bounded on every side."""

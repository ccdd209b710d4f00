"""The environment: captured in groups of facts, each with the levels at which it affects bits."""

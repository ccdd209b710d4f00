"""The report of several runs: what is equal in them, where they part, and how far they agree."""

"""What a run leaves behind: its directory, manifest, ledger, locks and the environment's capture."""

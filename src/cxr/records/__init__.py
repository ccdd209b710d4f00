"""What a run leaves behind: directory, manifest, ledger, data lock."""

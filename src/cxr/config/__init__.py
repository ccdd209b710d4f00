"""From YAML to a typed, frozen config, or to every error in it at once."""

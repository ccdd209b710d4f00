"""The core that every command calls: levels, random streams, switches, and their reading back."""

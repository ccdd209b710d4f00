"""Reports of runs, from their records alone: one HTML page that needs nothing else, or Markdown."""

"""Data sets that notebooks find in ./data: where they come from, and how they are read."""

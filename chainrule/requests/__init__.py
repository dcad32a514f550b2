"""Regrade requests: the line that students copy from their feedback, the list of them, and the answers."""

"""Lanes, writes and removals; events out."""

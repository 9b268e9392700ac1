"""Scores archives: many videos, on many machines, cut into segments that any of them may score."""

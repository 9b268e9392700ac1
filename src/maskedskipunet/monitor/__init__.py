"""Watching cameras: their frames, clips of what happened, and who is told."""

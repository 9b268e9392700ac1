"""Watching cameras: each read in a process of its own, all scored together; clips of what happened; who is told."""

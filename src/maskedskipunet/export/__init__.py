"""Writes trained networks as files of other runtimes."""

"""Watching cameras: each read in a process of its own, all scored together, and told of to a listener."""

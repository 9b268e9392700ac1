"""Cues judge frames beside the network, by movement and appearance."""

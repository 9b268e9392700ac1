"""Cameras and streams, as they send."""

"""Cues: what else than the network's reconstruction says that a frame departs from normal footage."""

"""Where labels meet scores."""

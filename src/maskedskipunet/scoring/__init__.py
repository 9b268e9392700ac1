"""Scores frames: the model with all that it holds, for files, cameras and programs alike."""

"""The generated scene of the demo."""

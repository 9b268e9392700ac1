"""Compares scores with labels."""

"""Trained networks at work: the fast form and the one streaming scorer."""

"""Keeps what was seen: one database of cameras, events, states, answers and deliveries, with files beside it."""

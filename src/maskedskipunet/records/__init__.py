"""What was seen, kept: one database of cameras, events, states, answers and deliveries, with files beside it."""

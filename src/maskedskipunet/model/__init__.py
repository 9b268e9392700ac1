"""The network, its variants, its loss and score, its weights in and out."""

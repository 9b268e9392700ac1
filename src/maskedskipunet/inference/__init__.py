"""The fast form of a trained network: the backend in torch."""

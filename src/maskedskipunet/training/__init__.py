"""The training loop: the only home of Lightning."""

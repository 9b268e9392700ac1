"""Runs exported models: files of other runtimes, with the description that stands in them."""

"""Notifications of events: one module for each kind of sink, and the dispatcher that delivers to them."""

"""The review page and its API: what happened, why it was found strange, and one click that says it is normal."""

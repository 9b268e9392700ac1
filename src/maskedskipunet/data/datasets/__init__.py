"""The data sets that are recognised by their layout: one module each, and a table of them."""

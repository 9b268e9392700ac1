"""Video files: frames read from them and written to them."""

"""A conversion's two passes over the rows, and the workers that run them."""

"""Tiny models of a backbone's own kind, to try a whole run on."""

"""Serving a run's models and asking them the questions."""

"""Sweeps: many runs from one YAML file, from conversion to a judged comparison."""

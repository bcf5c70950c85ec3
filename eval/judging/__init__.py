"""Prompts, verdicts, the judges: a model, the offline reference, people."""

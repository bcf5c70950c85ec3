"""Data engineering with LLMs: self-instruct, answer rewriting and row scoring, and mixes of what came of them."""

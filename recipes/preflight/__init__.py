"""The plan: what `make plan` checks before a run starts."""

"""Memory, duration and sequence length of a run. Pure."""

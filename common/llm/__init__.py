"""OpenAI-compatible endpoints: calls, cache, failures, prices."""

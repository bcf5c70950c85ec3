"""The only place that knows LLaMA-Factory's inside."""

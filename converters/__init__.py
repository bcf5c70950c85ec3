"""Raw rows, from the hub or a local file, to clean alpaca or sharegpt JSONL that LLaMA-Factory trains on."""

"""Raw rows, from the hub or a local file, to clean alpaca or sharegpt JSONL that LLaMA-Factory trains on."""

import common  # noqa: F401  (says what to do where nothing is set up yet)

"""The only place that knows LLaMA-Factory's inside."""

import gc

gc.set_threshold(50_000, 20, 50)  # looking for garbage among what an import leaves for good takes a fifth of its time

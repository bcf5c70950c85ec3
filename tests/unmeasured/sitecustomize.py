"""Leaves LLaMA-Factory's own processes out of the coverage: they run none of our code and would take a third longer."""

import sys

if any(word.endswith(("/llamafactory-cli", "/llamafactory/launcher.py")) for word in sys.orig_argv[1:3]):
    from coverage import Coverage

    if running := Coverage.current():
        running.stop()

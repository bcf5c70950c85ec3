"""What converters, recipes and eval all need: errors, files, settings. Imports nothing heavy."""

import importlib.util
import sys

if sys.version_info < (3, 11) or importlib.util.find_spec("click") is None:
    sys.exit(
        f"error: {sys.executable} does not have what Whetstone needs\n"
        "  next: make setup (once), then .venv/bin/python in place of this one, or `make` alone"
    )

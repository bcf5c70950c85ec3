"""What to train and how: backbones, methods and hardware as data, rendered, checked, planned and run."""

import common  # noqa: F401  (says what to do where nothing is set up yet)

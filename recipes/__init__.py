"""What to train and how: backbones, methods and hardware as data, rendered, checked, planned and run."""

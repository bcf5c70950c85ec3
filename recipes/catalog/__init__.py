"""What is known: backbones, methods, this machine, the converted data."""

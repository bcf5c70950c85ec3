"""Local model folders for backbones that need one."""

"""The six built-in tasks, and the place for a user's own: one file each."""

"""What looks at one row: checks, formats, the staged row."""

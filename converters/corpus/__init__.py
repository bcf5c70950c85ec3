"""What looks at all rows together: duplicates, contamination, splits."""

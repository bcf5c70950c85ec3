"""From a sweep file to a list of runs."""

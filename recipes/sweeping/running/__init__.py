"""Runs of a sweep, here, on Ray or on Slurm, and their comparison."""

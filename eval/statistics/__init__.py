"""Pure functions: outcomes, intervals, agreement, ranking, pooling."""

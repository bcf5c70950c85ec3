"""Judged comparisons: questions, answers, a judge in both orders, statistics, the result."""

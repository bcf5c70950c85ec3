"""Judged comparisons: questions, answers, a judge in both orders, statistics, the result."""

import common  # noqa: F401  (says what to do where nothing is set up yet)

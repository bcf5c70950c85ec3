"""What a judged comparison shows: sentences, tables, metrics.json, result.html."""

"""General ability: does a tuned model still follow plain instructions? Prompts with programmed checks, no judge."""

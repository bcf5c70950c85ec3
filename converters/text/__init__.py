"""Pure functions over text: cleaning, language, sketches."""

"""What converters, recipes and eval all need: errors, files, settings. Imports nothing heavy."""

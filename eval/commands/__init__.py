"""What the user types, a module for each command."""

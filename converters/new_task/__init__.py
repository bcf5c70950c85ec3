"""`make new-task`: a task of the user's own, proposed from a look at its rows."""

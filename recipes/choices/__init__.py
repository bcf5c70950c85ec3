"""Values derived for one run, each with its reason. Pure."""

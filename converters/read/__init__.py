"""Raw rows in: from the hub, from files and folders of any supported type."""

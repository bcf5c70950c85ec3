"""What a conversion leaves: the card, dataset_info.json, the report page."""

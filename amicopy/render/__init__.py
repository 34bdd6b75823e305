"""Plans, events and results as people and programs read them."""

"""Programs for the people who build Potluck; nothing here ships to a volunteer."""

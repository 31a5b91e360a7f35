"""A session that lives in memory, and all that it shows: what the screens are tested against."""

"""A run: its phases, its checklist, its verdict."""

"""What the operator sees: the terminal screens over the core."""

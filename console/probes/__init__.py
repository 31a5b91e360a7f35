"""One question to a node or service each, with a tolerance."""

"""The nodes over SSH: connections, samples, the guard, the sweep."""

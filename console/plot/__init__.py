"""Series of numbers over time, and their charts."""

"""Fault modes by hand: a scenario made on the spot, its numbers and its rate from elsewhere, a seeded random run."""

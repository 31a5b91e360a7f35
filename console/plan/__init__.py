"""What will be done, as data: inventory and scenario resolve to a plan, which people approve."""

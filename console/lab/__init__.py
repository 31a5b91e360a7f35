"""The labs: three real nodes to practise on. Stands apart from the console."""

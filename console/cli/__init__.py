"""The command line: a file per group, everything heavy imported late."""

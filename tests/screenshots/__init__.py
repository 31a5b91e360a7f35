"""The pictures of the screens, made from real runs on real labs: `python -m tests.screenshots`."""

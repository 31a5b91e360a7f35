"""The programs that the lab's nodes run: small, real, and doing something that can be seen."""

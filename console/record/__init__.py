"""What remains of a run: journal, write-up, thermal memory."""

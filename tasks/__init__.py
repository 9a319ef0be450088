"""What may be queued, and under which promise."""

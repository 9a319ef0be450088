"""Timelines: all that is recorded of one thing, in the order in which it happened. They only read."""

"""How fast, beside whom."""

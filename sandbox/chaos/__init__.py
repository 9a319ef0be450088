"""Chaos: load on the real processes while everything round them fails, judged by an oracle that looks from outside."""

"""Projections: what Redis shows of what PostgreSQL knows."""

"""What is remembered, and what may change: tables, states and their tables of moves, migrations."""

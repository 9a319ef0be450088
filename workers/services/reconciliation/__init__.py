"""Reconciliation: what Stripe says of money held against what is known here. Each noun of Stripe's is one file."""

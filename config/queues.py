"""The queues. Which process serves which is in the Procfile, and a test holds that each is served by exactly one kind.

Separate worker processes serve Stripe calls that a shopper waits for, other Stripe calls, and database-only work, so
that one hanging endpoint cannot fill every thread.
"""

PAYMENTS = "payments"
REFUNDS = "refunds"
INVOICES = "invoices"
WEBHOOKS = "webhooks"
NOTIFICATIONS = "notifications"
MAINTENANCE = "maintenance"
# Reads that Redis could not answer: database-only, and a client waits for them.
VIEWS = "views"
# Jobs of any kind whose workers died again and again run here, one at a time, in a process that nothing else needs.
QUARANTINE = "quarantine"

QUEUES = (PAYMENTS, REFUNDS, INVOICES, WEBHOOKS, NOTIFICATIONS, MAINTENANCE, VIEWS, QUARANTINE)

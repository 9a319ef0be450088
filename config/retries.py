"""How patient Tollgate is: the figures of retries that no deployment has a reason to change.

Those that one may (`TOLLGATE_BACKOFF_BASE_SECONDS`, `TOLLGATE_BACKOFF_CAP_SECONDS` and others) are settings. All are in
seconds unless named otherwise.
"""

from typing import Final

HOUR: Final = 3600.0

# How old a job of each kind may become; after that it is not tried again.
# A shopper who was promised nothing for six hours is gone; Stripe still knows the key for 24.
CREATE_PAYMENT_AGE: Final = 6 * HOUR
# Nobody waits at a screen for a refund, and the money is owed however long Stripe or a bank holiday takes.
CREATE_REFUND_AGE: Final = 72 * HOUR
# An invoice is due in weeks, and nobody waits at a screen for it: a weekend's outage may pass.
CREATE_INVOICE_AGE: Final = 72 * HOUR
# What is done to an invoice is worth as much patience as making it, and what it is at Stripe stays worth knowing.
CHANGE_INVOICE_AGE: Final = CREATE_INVOICE_AGE
REFRESH_INVOICE_AGE: Final = CREATE_INVOICE_AGE
# A look that could not be done for so long is made up by the next slot.
REMIND_INVOICES_AGE: Final = HOUR
# It only writes rows; whatever keeps PostgreSQL away for so long is no batch's trouble any more.
OPEN_BATCH_AGE: Final = 72 * HOUR
# A hold lasts some seven days: capturing or releasing it is worth as much patience as Stripe may need.
SETTLE_HOLD_AGE: Final = 72 * HOUR
# It only writes rows, and disputes come weeks later: no outage makes it worthless.
KEEP_EVIDENCE_AGE: Final = 72 * HOUR
# A bank waits for days; what an operator has decided is worth as much patience as Stripe may need.
ANSWER_DISPUTE_AGE: Final = 72 * HOUR
# A look that could not be done for so long is made up by the next slot.
WATCH_DISPUTES_AGE: Final = HOUR
# As for a payment that is made: the shopper is gone.
UPDATE_PAYMENT_AGE: Final = CREATE_PAYMENT_AGE
# What a payment is at Stripe stays worth knowing as long as events about it may come.
REFRESH_PAYMENT_AGE: Final = 72 * HOUR
# A charge that is captured asynchronously is booked within the hour; the rest is for an outage over a weekend.
POST_FEE_AGE: Final = 72 * HOUR
# Whoever asked has asked again by then, or is gone.
SHOW_VIEWS_AGE: Final = 60.0
# Money that came late must be dealt with, however long Stripe is away.
REVIEW_PAYMENT_AGE: Final = 72 * HOUR
# Stripe itself redelivers for three days; an event may wait as long for its payment.
STRIPE_EVENT_AGE: Final = 72 * HOUR
# A website that breaks on a Friday evening is mended on Monday.
SEND_NOTIFICATION_AGE: Final = 72 * HOUR
# A look for lost webhooks that could not be taken for so long is made up by the next slot.
HEAL_EVENTS_AGE: Final = HOUR
# The day after, the next run looks back to the last one that ended.
RECONCILE_AGE: Final = 12 * HOUR
# A check that could not be done for so long has been missed by somebody already; the next slot begins another.
CHECK_INVARIANTS_AGE: Final = HOUR

# An operator must act first; asking every few seconds would only fill the log.
MISCONFIGURED: Final = 60.0
# Of the pause before a look at Stripe (`config.resolver`); the rest is chance, so that many doubts do not look at once.
LEAST_OF_A_LOOK: Final = 0.5
# Stripe asks for seconds; a broken header must not park a payment for a day.
LONGEST_RETRY_AFTER: Final = HOUR
# base * 2**32 is beyond any cap, and a float stays far from overflow.
MAX_DOUBLINGS: Final = 32

# A job that met the open breaker waits as long as the breaker says and up to half as long again, at most five seconds:
# spread enough that thousands do not come back in one moment, soon enough that the first is the probe.
SNOOZE_SPREAD: Final = 0.5
LONGEST_SNOOZE_SPREAD: Final = 5.0

# Notifications wait longer than anything that a person waits for: one website that is gone for days must not keep the
# database busy with thousands of its jobs.
LONGEST_NOTIFICATION_PAUSE: Final = HOUR / 2
# An endpoint that failed so often in a row is left alone for so long (`workers.resilience.lanes`).
LANE_FAILURES: Final = 5
LANE_PAUSE: Final = 30.0
# One that has as many calls under way as it may is asked again after this; most answer within it.
LANE_BUSY: Final = 1.0

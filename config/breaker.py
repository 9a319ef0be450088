"""The circuit breaker's figures that no deployment has a reason to change; in seconds unless named otherwise.

When it opens and when it probes are settings: `TOLLGATE_STRIPE_BREAKER_FAILURES` and `TOLLGATE_STRIPE_BREAKER_RESET`.
"""

from typing import Final

# Memory
FORGET_AFTER: Final = 120.0  # failures further apart than this are no outage, if calls between them succeed
SUCCESSES_PER_FAILURE: Final = 20  # that many make up for one failure: it opens when more than one call in 20 fails
# All processes together open at no more than this many times the failures that one alone would need.
SHARED_LIMIT: Final = 2

# Probes
PROBE_UNDER_WAY: Final = 1.0  # until others may ask again while a probe runs; most probes end sooner
LEASE: Final = 3.0  # a probe's right runs out this long after its process was last heard of: kill -9 frees it
LEASE_MARGIN: Final = 0.5  # a probe begins only if its right lasts so much longer, so that there is time to renew it

# Exchange with the other processes
EXCHANGE_EVERY: Final = 1.0  # without news; three exchanges fit into a lease
ASK_AGAIN: Final = 0.25  # for the right to probe, while another process has it
EXCHANGE_PAUSE: Final = 0.01  # between two exchanges, however many failures there are
ALONE_AFTER: Final = 2.5  # without an exchange a process decides alone: more than two rounds and a Redis timeout
MEMBER_FOR: Final = 5.0  # a process counts as present this long after it was last heard of
KEPT_FOR: Final = 3600.0  # what is shared outlives the last process by this, so that a restart finds it

"""When Tollgate looks again for what may have happened at Stripe: often at first, for a shopper waits; then ever less.

All in seconds. The age is that of the doubt: since Stripe may first have been asked.
"""

from typing import Final

# Up to this age: this far apart.
SCHEDULE: Final = (
    (10.0, 1.0),  # whatever happened is usually visible at Stripe within a second or two
    (60.0, 5.0),
    (600.0, 30.0),
    (3600.0, 120.0),
    (24 * 3600.0, 900.0),
)
LATER: Final = 3600.0
# Looking in vain for so long after the last moment at which anything could be sent is an operator's business.
GIVE_UP_LOOKING: Final = 7 * 24 * 3600.0


def next_look(age: float) -> float:
    """Return how many seconds to wait, at the most, before the next look at a doubt of that age."""
    return next((pause for until, pause in SCHEDULE if age < until), LATER)

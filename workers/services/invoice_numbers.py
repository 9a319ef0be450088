"""Numbers of invoices: kept for everybody's, so that a gap between them is noticed.

Stripe counts each prefix without gaps, unless somebody sets numbers by hand or finalized invoices are lost sight of:
both must be known to whoever answers for the books (https://docs.stripe.com/invoicing/customize#invoice-numbering).
"""

import re
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.invoice_number import InvoiceNumber

_NUMBER: Final = re.compile(r"(.{0,40})-(\d{1,12})", re.ASCII)
MOST_TOLD: Final = 20  # missing numbers that a flag names
WIDEST: Final = 10_000  # numbers between two that are known: more is another way of counting, not a gap
# An event may be on its way for a while: what is missing is looked at only between numbers that are as old.
SETTLED_SECONDS: Final = 3600.0
# Each number whose successor is missing, and the next that is there.
_GAPS = text("""
SELECT prefix, sequence + 1 AS first, next - 1 AS last FROM (
    SELECT prefix, sequence, lead(sequence) OVER (PARTITION BY prefix ORDER BY sequence) AS next,
        lead(recorded_at) OVER (PARTITION BY prefix ORDER BY sequence) AS recorded_at
    FROM invoice_numbers
) AS known
WHERE next > sequence + 1 AND next - sequence <= :widest
    AND recorded_at < clock_timestamp() - make_interval(secs => :settled)
ORDER BY prefix, first
""")


def remember_number(session: Session, number: str | None, stripe_id: str) -> None:
    """Keep the number of a finalized invoice, whoever made it; what is counted in no way that we know is left out."""
    found = _NUMBER.fullmatch(number or "")
    if found is None:
        return
    values = {"prefix": found[1], "sequence": int(found[2]), "stripe_id": stripe_id}
    session.execute(insert(InvoiceNumber).values(**values).on_conflict_do_nothing())


def gaps(session: Session) -> dict[str, dict[str, object]]:
    """Return the prefixes between whose numbers some are missing, with the first of those and how many they are."""
    found: dict[str, list[int]] = {}
    for row in session.execute(_GAPS, {"widest": WIDEST, "settled": SETTLED_SECONDS}):
        found.setdefault(row.prefix, []).extend(range(row.first, row.last + 1))
    return {prefix: {"missing": missing[:MOST_TOLD], "number": len(missing)} for prefix, missing in found.items()}

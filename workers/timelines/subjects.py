"""What an id names: any of ours or of Stripe's leads to payments, and to whatever else has to do with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from tasks.contracts.shows import ShowViews

MOST_PAYMENTS = 20  # of a customer or booking are told of at once: more would be no answer
MOST_JOBS = 500  # of these payments; a payment has some ten

# Every look is by an index: `tests/integration/test_explain.py` asks PostgreSQL.
_BY_BOOKING = text("""
SELECT payments.id FROM clients, LATERAL (
    SELECT id, created_at FROM payments WHERE client_id = clients.id AND booking_reference = :id
    ORDER BY created_at DESC, id DESC LIMIT :most
) AS payments ORDER BY payments.created_at DESC, payments.id DESC LIMIT :most
""")
_BY_LEDGER = "SELECT payment_id FROM ledger_transactions WHERE stripe_id = :id"
_BY_DISPUTE = f"SELECT payment_id FROM disputes WHERE stripe_id = :id UNION {_BY_LEDGER}"  # noqa: S608 - of constants
_BY_CUSTOMER = "SELECT id FROM payments WHERE customer_id = {} ORDER BY created_at DESC, id DESC LIMIT :most"
_PAYMENTS: Mapping[str, TextClause] = {
    "pay_": text("SELECT id FROM payments WHERE id = :id"),
    "ref_": text("SELECT payment_id FROM refunds WHERE id = :id"),
    "job_": text("""
        SELECT payments.id FROM jobs JOIN payments ON payments.id = jobs.subject_id WHERE jobs.id = :id
        UNION SELECT payment_id FROM jobs JOIN refunds ON refunds.id = jobs.subject_id WHERE jobs.id = :id
        UNION SELECT payment_id FROM jobs JOIN disputes ON disputes.id = jobs.subject_id WHERE jobs.id = :id
        UNION SELECT payment_id FROM stripe_events WHERE job_id = :id
    """),
    "cst_": text(_BY_CUSTOMER.format(":id")),
    "cus_": text(f"""
        SELECT payments.id FROM customers, LATERAL ({_BY_CUSTOMER.format("customers.id")}) AS payments
        WHERE customers.stripe_id = :id OR customers.former_stripe_ids @> ARRAY[CAST(:id AS varchar)]
    """),  # noqa: S608 - built of constants
    "pi_": text("SELECT id FROM payments WHERE stripe_id = :id"),
    "ch_": text(f"SELECT id FROM payments WHERE stripe_charge_id = :id UNION {_BY_LEDGER}"),  # noqa: S608 - as above
    "re_": text(f"SELECT payment_id FROM refunds WHERE stripe_id = :id UNION {_BY_LEDGER}"),  # noqa: S608 - as above
    "evt_": text("SELECT payment_id FROM stripe_events WHERE id = :id"),
    "inv_": text("""
        SELECT id FROM payments WHERE invoice_id = :id
        UNION SELECT COALESCE(payment_id, asked_payment_id) FROM invoices WHERE id = :id
    """),
    "in_": text("""
        SELECT payments.id FROM invoices JOIN payments ON payments.invoice_id = invoices.id
        WHERE invoices.stripe_id = :id
        UNION SELECT COALESCE(payment_id, asked_payment_id) FROM invoices WHERE stripe_id = :id
    """),
    "dsp_": text("SELECT payment_id FROM disputes WHERE id = :id"),
    # Of an inquiry the ledger knows nothing.
    "du_": text(_BY_DISPUTE),
    "dp_": text(_BY_DISPUTE),
    "": text(_BY_LEDGER),
}
_INVOICES = text("""
SELECT id FROM invoices WHERE id = :id
UNION SELECT id FROM invoices WHERE stripe_id = :id
UNION SELECT id FROM invoices WHERE number = :id
UNION SELECT id FROM invoices WHERE payment_id = ANY(:payments)
UNION SELECT subject_id FROM jobs WHERE id = :id AND subject_id LIKE 'inv\\_%'
UNION SELECT invoice_id FROM stripe_events WHERE id = :id
UNION SELECT invoices.id FROM clients, LATERAL (
    SELECT id FROM invoices WHERE client_id = clients.id AND booking_reference = :id LIMIT :most
) AS invoices
LIMIT :most
""")
_PAYMENTS_OF_INVOICES = text("""
SELECT id FROM payments WHERE invoice_id = ANY(:ids)
UNION SELECT COALESCE(payment_id, asked_payment_id) FROM invoices WHERE id = ANY(:ids)
""")
_SAME = {"py_": "ch_", "pyr_": "re_"}  # Stripe's ids of charges and refunds that are by no card
_BY_REQUEST = text("""
SELECT id FROM jobs WHERE request_id = :id
UNION SELECT job_id FROM attempts WHERE stripe_request_id = :id
LIMIT :jobs
""")
_SUBJECTS = text("""
SELECT payments.id FROM jobs JOIN payments ON payments.id = jobs.subject_id WHERE jobs.id = ANY(:ids)
UNION SELECT payment_id FROM jobs JOIN refunds ON refunds.id = jobs.subject_id WHERE jobs.id = ANY(:ids)
UNION SELECT payment_id FROM jobs JOIN disputes ON disputes.id = jobs.subject_id WHERE jobs.id = ANY(:ids)
UNION SELECT payment_id FROM stripe_events WHERE job_id = ANY(:ids)
""")
_ABOUT = text("SELECT id FROM jobs WHERE (id = :id OR subject_id = :id) AND kind <> :show LIMIT :jobs")
_REFUNDS = text("SELECT id FROM refunds WHERE payment_id = ANY(:ids) ORDER BY id")
_JOBS = text("""
SELECT id FROM jobs WHERE subject_id = ANY(:ids) AND kind <> :show
UNION SELECT jobs.id FROM disputes JOIN jobs ON jobs.subject_id = disputes.id WHERE disputes.payment_id = ANY(:ids)
UNION SELECT job_id FROM stripe_events WHERE payment_id = ANY(:ids)
UNION SELECT job_id FROM stripe_events WHERE invoice_id = ANY(:ids)
UNION SELECT job_id FROM payments WHERE id = ANY(:ids)
LIMIT :jobs
""")


@dataclass(frozen=True, slots=True)
class Subjects:
    """What there is to tell of.

    Args:
        more: whether there are more payments than are told of.
    """

    payments: Sequence[str] = field(default=())
    refunds: Sequence[str] = field(default=())
    invoices: Sequence[str] = field(default=())
    jobs: Sequence[str] = field(default=())
    more: bool = False

    @property
    def any(self) -> bool:
        """Whether there is anything."""
        return bool(self.payments or self.invoices or self.jobs)


def find(session: Session, name: str) -> Subjects:
    """Return what an id of ours or of Stripe's, a booking reference or a request's id has to do with."""
    parameters = {"id": name, "most": MOST_PAYMENTS + 1, "jobs": MOST_JOBS}
    payments = _distinct(session.scalars(_by_prefix(name), parameters))
    if not payments:
        payments = _distinct(session.scalars(_BY_BOOKING, parameters))
    jobs = _distinct(session.scalars(_ABOUT, {"id": name, "show": ShowViews.KIND.name, "jobs": MOST_JOBS}))
    if not payments and not jobs:
        jobs = _distinct(session.scalars(_BY_REQUEST, parameters))
        payments = _distinct(session.scalars(_SUBJECTS, {"ids": jobs}))
    named = {"id": name, "payments": payments, "most": MOST_PAYMENTS}
    invoices = _distinct(session.scalars(_INVOICES, named))
    # By its number, its booking or its job an invoice is found first, and what has paid it by the invoice.
    payments = _distinct([*payments, *session.scalars(_PAYMENTS_OF_INVOICES, {"ids": invoices})])
    return _with_all(session, payments, invoices, jobs)


def _by_prefix(name: str) -> TextClause:
    prefix = next((prefix for prefix in (*_PAYMENTS, *_SAME) if prefix and name.startswith(prefix)), "")
    return _PAYMENTS[_SAME.get(prefix, prefix)]


def _with_all(session: Session, payments: list[str], invoices: list[str], jobs: list[str]) -> Subjects:
    told = payments[:MOST_PAYMENTS]
    refunds = list(session.scalars(_REFUNDS, {"ids": told}))
    ids = [*told, *refunds, *invoices]
    theirs = session.scalars(_JOBS, {"ids": ids, "show": ShowViews.KIND.name, "jobs": MOST_JOBS})
    return Subjects(told, refunds, invoices, _distinct([*jobs, *theirs]), more=len(payments) > len(told))


def _distinct(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))

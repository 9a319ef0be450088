"""The views of lists: which payments and invoices a booking or a customer has, and which refunds a payment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.settings import WorkerSettings
from models.customer import email_hash
from models.encrypted import decrypt
from tasks.contracts.identity import derived_id
from tasks.contracts.lists import (
    BOOKING,
    CUSTOMER,
    INVOICES_OF_BOOKING,
    INVOICES_OF_CUSTOMER,
    LONGEST,
    OF_CUSTOMERS,
    PAYMENT,
    ListKey,
)
from tasks.contracts.views import ListView

# Each by an index that ends in `created_at, id`; one more than a list holds tells whether there are more.
_BELONGS = {
    BOOKING: ("payments", "client_id = wanted.client AND booking_reference = wanted.value"),
    CUSTOMER: ("payments", "customer_id = wanted.value"),  # whose id is derived from the client's
    INVOICES_OF_BOOKING: ("invoices", "client_id = wanted.client AND booking_reference = wanted.value"),
    INVOICES_OF_CUSTOMER: ("invoices", "customer_id = wanted.value"),
    PAYMENT: ("refunds", "client_id = wanted.client AND payment_id = wanted.value"),
}
_LISTED = {
    noun: text(f"""
WITH wanted AS (
    SELECT place, client, value, anchor.created_at AS until, anchor.id AS before, named.before IS NULL AS newest
    FROM unnest(CAST(:clients AS text[]), CAST(:values AS text[]), CAST(:befores AS text[])) WITH ORDINALITY
        AS named (client, value, before, place) LEFT JOIN {table} AS anchor ON anchor.id = named.before
)
SELECT place, (
    SELECT count(*) FROM {table} WHERE {belongs} AND (newest OR (created_at, id) < (until, before))
) AS total, ARRAY(
    SELECT id FROM {table} WHERE {belongs} AND (newest OR (created_at, id) < (until, before))
    ORDER BY created_at DESC, id DESC LIMIT :most
) AS ids
FROM wanted ORDER BY place
""")  # noqa: S608 - built of constants
    for noun, (table, belongs) in _BELONGS.items()
}
# Only a row that was never shown, or is to be shown anew, can change what is on a list.
_OF_PAYMENTS = text("""
SELECT DISTINCT payments.client_id, booking_reference, customer_id, customers.email
FROM payments JOIN customers ON customers.id = payments.customer_id
WHERE payments.id = ANY(:ids) AND (:all OR projected_version = 0)
""")
_OF_REFUNDS = text("""
SELECT DISTINCT client_id, payment_id FROM refunds WHERE id = ANY(:ids) AND (:all OR projected_version = 0)
""")
_OF_INVOICES = text("""
SELECT DISTINCT invoices.client_id, booking_reference, customer_id, customers.email
FROM invoices JOIN customers ON customers.id = invoices.customer_id
WHERE invoices.id = ANY(:ids) AND (:all OR projected_version = 0)
""")


@dataclass(frozen=True, slots=True)
class Listed:
    """A list as it is now.

    Args:
        total: how many things there are; only grows, and so is the version of the list's view.
    """

    key: ListKey
    total: int
    entries: Sequence[str]
    more: bool

    def view(self, name: str) -> ListView:
        """Return its view under one of its names."""
        return ListView(name, self.key.client_id, list(self.entries), self.more)


def lists_of(session: Session, settings: WorkerSettings, ids: Iterable[str], *, known: bool = False) -> list[ListKey]:
    """Return the lists that things are on which are not shown yet, or else, if `known` ones count, of all of them.

    Raises:
        SealBrokenError, KeyringError: if a customer's address can't be opened.
    """
    names = list(ids)
    payments = [name for name in names if name.startswith("pay_")]
    refunds = [name for name in names if name.startswith("ref_")]
    invoices = [name for name in names if name.startswith("inv_")]
    found: list[ListKey] = []
    if payments:
        for row in session.execute(_OF_PAYMENTS, {"ids": payments, "all": known}):
            email = decrypt(settings.encryption_keys, "customers", "email", row.customer_id, row.email)
            found += [
                ListKey(row.client_id, BOOKING, row.booking_reference),
                ListKey(row.client_id, CUSTOMER, email.casefold()),
            ]
    if invoices:
        for row in session.execute(_OF_INVOICES, {"ids": invoices, "all": known}):
            email = decrypt(settings.encryption_keys, "customers", "email", row.customer_id, row.email)
            found.append(ListKey(row.client_id, INVOICES_OF_CUSTOMER, email.casefold()))
            if row.booking_reference is not None:
                found.append(ListKey(row.client_id, INVOICES_OF_BOOKING, row.booking_reference))
    if refunds:
        for row in session.execute(_OF_REFUNDS, {"ids": refunds, "all": known}):
            found.append(ListKey(row.client_id, PAYMENT, row.payment_id))
    return list(dict.fromkeys(found))


def read_lists(session: Session, settings: WorkerSettings, keys: Sequence[ListKey]) -> list[Listed]:
    """Return what is on each of the lists now; nothing, for one that there is none of."""
    listed: list[Listed] = []
    for noun, statement in _LISTED.items():
        wanted = [key for key in keys if key.noun == noun]
        if not wanted:
            continue
        parameters = {
            "clients": [key.client_id for key in wanted],
            "values": [_value(settings, key) for key in wanted],
            "befores": [key.before for key in wanted],
            "most": LONGEST + 1,
        }
        for key, row in zip(wanted, session.execute(statement, parameters), strict=True):
            listed.append(Listed(key, row.total, row.ids[:LONGEST], more=len(row.ids) > LONGEST))
    return listed


def _value(settings: WorkerSettings, key: ListKey) -> str:
    """Return by what the rows of a list are found: a customer by their id, which their address leads to."""
    if key.noun not in OF_CUSTOMERS:
        return key.value
    secret = settings.derivation_key
    return derived_id("cst", secret, key.client_id, email_hash(secret, key.value))

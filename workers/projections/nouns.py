"""What has views: which table's rows, under which ids, and how they are read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from config.keyring import Keyring
from tasks.contracts.views import BatchView, InvoiceView, JobView, PaymentView, RefundView
from workers.projections.batch_views import read_batch_views
from workers.projections.invoice_views import read_invoice_views
from workers.projections.job_views import read_job_views
from workers.projections.payment_views import read_payment_views
from workers.projections.refund_views import read_refund_views

View = JobView | PaymentView | RefundView | InvoiceView | BatchView


@dataclass(frozen=True, slots=True)
class Noun:
    """A table whose rows are shown.

    Args:
        table: its name; its rows have `version` and `projected_version`.
        prefix: with which its ids begin.
        read: returns version and view of each row that exists.
    """

    table: str
    prefix: str
    read: Callable[[Session, Keyring, Sequence[str]], Sequence[tuple[int, View]]]


# Jobs last: whoever is woken by the end of one finds what it is about.
NOUNS: Sequence[Noun] = (
    Noun("payments", "pay_", read_payment_views),
    Noun("refunds", "ref_", read_refund_views),
    Noun("invoices", "inv_", read_invoice_views),
    Noun("invoice_batches", "bat_", read_batch_views),
    Noun("jobs", "job_", read_job_views),
)


def by_noun(ids: Iterable[str]) -> Mapping[Noun, Sequence[str]]:
    """Sort ids by what they name; those that name nothing that is shown are left out."""
    wanted = sorted(set(ids))
    found = {noun: [name for name in wanted if name.startswith(noun.prefix)] for noun in NOUNS}
    return {noun: names for noun, names in found.items() if names}

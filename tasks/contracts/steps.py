"""The crash table: every step that has an effect outside its process, and what mends it when whoever takes it dies.

Every such effect happens inside its step, `with Step.ACKNOWLEDGE: …`, which names the two failpoints round it. A
transaction takes its step as an argument; there the effect is the COMMIT.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Final

from config.failpoints import ARMED, Failpoint, arm, reach
from tasks.contracts.repairs import (
    BROUGHT_BACK,
    CHECKING,
    CLIENT,
    EXCHANGED,
    FILLED_ANEW,
    LEASE,
    NEXT_POLL,
    NEXT_REPAIR,
    SENT_AGAIN,
    SHOWN,
    TAKEN_OVER,
    Repair,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Args:
        name: `<who>.<what>`; the failpoints' names begin with it.
        does: the effect.
        before: what is left behind by a death before it.
        after: what is left behind by a death right after it.
        mends_before: who mends the one.
        mends_after: who mends the other.
    """

    name: str
    does: str
    before: str
    mends_before: Repair
    after: str
    mends_after: Repair


class Step(Enum):
    """A step, as a context round its effect; its value is its row of the table."""

    # The ingress
    ACCEPT = Row(
        "ingress.accept",
        "runs the accept script: entry, first views, idempotency record",
        "nothing",
        CLIENT,
        "the entry; its client has no answer",
        CLIENT,
    )
    # The dispatcher: the journal
    JOIN = Row(
        "dispatcher.join",
        "makes the consumer group",
        "no group; entries wait",
        NEXT_POLL,
        "the group, empty",
        NEXT_POLL,
    )
    READ = Row(
        "dispatcher.read",
        "reads new entries, which become pending",
        "entries that nobody has read",
        NEXT_POLL,
        "pending entries without rows",
        TAKEN_OVER,
    )
    TAKE_OVER = Row(
        "dispatcher.take_over",
        "takes over entries that another left pending",
        "pending entries",
        TAKEN_OVER,
        "entries pending with another name",
        TAKEN_OVER,
    )
    INTAKE = Row(
        "dispatcher.intake",
        "commits the rows of new jobs, marked as published",
        "pending entries without rows",
        TAKEN_OVER,
        "rows without hints, and their entries still pending",
        SENT_AGAIN,
    )
    HINT = Row(
        "dispatcher.hint",
        "sends one Celery message",
        "marked rows without a message",
        SENT_AGAIN,
        "the message, and marks or entries not followed up",
        SENT_AGAIN,
    )
    UNMARK = Row(
        "dispatcher.unmark",
        "takes marks back whose hints could not be sent",
        "marked rows without a message",
        SENT_AGAIN,
        "rows due and not marked, and perhaps their entries still pending",
        TAKEN_OVER,
    )
    REFUSE = Row(
        "dispatcher.refuse",
        "shows that a body is refused whose key PostgreSQL knows with another",
        "a first view that promises too much, and a pending entry",
        TAKEN_OVER,
        "a pending entry",
        TAKEN_OVER,
    )
    FORGET = Row(
        "dispatcher.forget",
        "deletes the idempotency record of a body that is refused",
        "a record that names the refused job",
        TAKEN_OVER,
        "a pending entry",
        TAKEN_OVER,
    )
    ACKNOWLEDGE = Row(
        "dispatcher.acknowledge",
        "acknowledges entries whose rows are committed",
        "rows, and their entries still pending",
        TAKEN_OVER,
        "nothing undone",
        NEXT_POLL,
    )
    SET_ASIDE = Row(
        "dispatcher.set_aside",
        "moves an entry that can't be taken in yet to those that wait",
        "a pending entry",
        BROUGHT_BACK,
        "the entry, waiting; others of its batch still pending",
        BROUGHT_BACK,
    )
    BRING_BACK = Row(
        "dispatcher.bring_back",
        "moves a waiting entry back into the journal",
        "the entry, waiting",
        BROUGHT_BACK,
        "the entry, not read yet",
        NEXT_POLL,
    )
    REJECT = Row(
        "dispatcher.reject",
        "moves a forged or broken entry to the rejected ones",
        "a pending entry",
        TAKEN_OVER,
        "the entry, rejected; others of its batch still pending",
        TAKEN_OVER,
    )
    # The dispatcher: upkeep
    PUBLISH = Row(
        "dispatcher.publish",
        "commits the marks of due jobs, before their hints are sent",
        "rows due and not marked",
        NEXT_POLL,
        "marked rows without a message",
        SENT_AGAIN,
    )
    DECLARE = Row(
        "dispatcher.declare",
        "declares queues, to measure them",
        "marked rows without a message",
        SENT_AGAIN,
        "marked rows without a message",
        SENT_AGAIN,
    )
    REPUBLISH = Row(
        "dispatcher.republish",
        "commits new marks of jobs whose hints were lost",
        "marked rows without a message",
        SENT_AGAIN,
        "marked rows without a message",
        SENT_AGAIN,
    )
    GIVE_OUT = Row(
        "dispatcher.give_out",
        "commits a slot of scheduled work and the job that does it",
        "a slot that nobody has given out",
        NEXT_REPAIR,
        "a row due and not marked",
        NEXT_POLL,
    )
    RESCUE = Row(
        "dispatcher.rescue",
        "commits that jobs whose lease ran out are due again",
        "running rows without a lease",
        NEXT_POLL,
        "rows due and not marked",
        NEXT_POLL,
    )
    PULSE = Row(
        "dispatcher.pulse",
        "shows that a dispatcher is alive, and what it can reach",
        "an older pulse",
        NEXT_REPAIR,
        "nothing undone",
        NEXT_REPAIR,
    )
    VOUCH = Row(
        "dispatcher.vouch",
        "says, or takes back, that live money may be accepted into this run of Redis",
        "no word for this run: the live web process accepts nothing; or an older word",
        NEXT_REPAIR,
        "nothing undone",
        NEXT_REPAIR,
    )
    MARK_BEHIND = Row(
        "dispatcher.mark_behind",
        "commits that all views are to be written again",
        "some rows marked",
        FILLED_ANEW,
        "rows marked, the epoch not shown",
        FILLED_ANEW,
    )
    EPOCH = Row(
        "dispatcher.epoch",
        "shows PostgreSQL's epoch in Redis",
        "rows marked, the epoch not shown",
        FILLED_ANEW,
        "rows marked, older views",
        SHOWN,
    )
    API_KEYS = Row(
        "dispatcher.api_keys",
        "writes API keys to Redis or deletes revoked ones",
        "older keys, or none",
        FILLED_ANEW,
        "perhaps rows not marked, the epoch not shown",
        FILLED_ANEW,
    )
    TRIM = Row(
        "dispatcher.trim",
        "lets the journal forget what was taken in long ago",
        "a longer journal",
        NEXT_POLL,
        "nothing undone",
        NEXT_POLL,
    )
    FORGET_READER = Row(
        "dispatcher.forget_reader",
        "takes a reader that is gone for good out of the group",
        "a name in the group",
        NEXT_POLL,
        "nothing undone",
        NEXT_POLL,
    )
    FORGET_JOBS = Row(
        "dispatcher.forget_jobs",
        "commits that rows of jobs are deleted which are over and not kept",
        "rows of no more use",
        NEXT_POLL,
        "nothing undone",
        NEXT_POLL,
    )
    # The worker
    CLAIM = Row(
        "worker.claim",
        "commits the lease and the next fence",
        "rows due, their message gone",
        SENT_AGAIN,
        "running rows without an intent",
        LEASE,
    )
    INTENT = Row(
        "worker.intent",
        "commits the payment's or refund's row and what will be asked of Stripe",
        "a running row without an intent",
        LEASE,
        "a running row with an intent",
        CHECKING,
    )
    NEXT_GENERATION = Row(
        "worker.next_generation",
        "commits that the next generation of the key will be used",
        "a running row with the old intent",
        CHECKING,
        "a running row with the new intent",
        CHECKING,
    )
    INVOICE_STEP = Row(
        "worker.invoice_step",
        "commits what the steps so far have made of an invoice, and what will be asked next",
        "a running row with the intent before; whatever Stripe did is done",
        CHECKING,
        "a running row with the next intent",
        CHECKING,
    )
    RENEW = Row(
        "worker.renew",
        "commits a longer lease before a call that it would not outlast",
        "a running row",
        CHECKING,
        "a running row with a longer lease",
        CHECKING,
    )
    HOLD = Row(
        "worker.hold",
        "makes sure that a job is still its own, and reads what it is about",
        "a running row without an intent",
        LEASE,
        "a running row without an intent",
        LEASE,
    )
    MAKE_CUSTOMER = Row(
        "worker.make_customer",
        "asks Stripe to make a customer",
        "a running row with an intent",
        CHECKING,
        "a customer at Stripe that only its key tells of",
        CHECKING,
    )
    KEEP_CUSTOMER = Row(
        "worker.keep_customer",
        "commits the customer's id at Stripe",
        "a customer at Stripe that only its key tells of",
        CHECKING,
        "a running row with an intent",
        CHECKING,
    )
    CHOOSE_CARD = Row(
        "worker.choose_card",
        "commits which of the customer's saved cards will be charged",
        "a running row with an intent",
        CHECKING,
        "a running row with an intent, and a card",
        CHECKING,
    )
    MAKE_PAYMENT_INTENT = Row(
        "worker.make_payment_intent",
        "asks Stripe to make a PaymentIntent, and to charge a saved card for it if asked so",
        "a running row with an intent",
        CHECKING,
        "a PaymentIntent at Stripe that nobody here knows",
        CHECKING,
    )
    SEND_NOTIFICATION = Row(
        "worker.send_notification",
        "posts a notification to a client's website",
        "a running row without an intent",
        LEASE,
        "a notification taken, and a running row: it is sent again, with the same `webhook-id`",
        LEASE,
    )
    MAKE_REFUND = Row(
        "worker.make_refund",
        "asks Stripe to give back a payment, or a part of it",
        "a running row with an intent",
        CHECKING,
        "a refund at Stripe that nobody here knows",
        CHECKING,
    )
    CAPTURE = Row(
        "worker.capture",
        "asks Stripe to capture a held amount, or a part of it",
        "a running row with an intent",
        CHECKING,
        "a captured amount that nobody here knows of",
        CHECKING,
    )
    CANCEL = Row(
        "worker.cancel",
        "asks Stripe to give a PaymentIntent up",
        "a running row with an intent",
        CHECKING,
        "a cancelled PaymentIntent that is taken for open here",
        CHECKING,
    )
    UPDATE = Row(
        "worker.update",
        "asks Stripe to change a PaymentIntent that nobody has confirmed",
        "a running row with an intent",
        CHECKING,
        "a changed PaymentIntent that is as before here",
        CHECKING,
    )
    MAKE_INVOICE = Row(
        "worker.make_invoice",
        "asks Stripe to make a draft of an invoice",
        "a running row with an intent",
        CHECKING,
        "a draft at Stripe that nobody here knows",
        CHECKING,
    )
    ADD_LINES = Row(
        "worker.add_lines",
        "asks Stripe to put an invoice's lines on its draft",
        "a running row with an intent; a draft without lines",
        CHECKING,
        "a draft with lines that is taken for empty here",
        CHECKING,
    )
    FINALIZE_INVOICE = Row(
        "worker.finalize_invoice",
        "asks Stripe to make a draft binding",
        "a running row with an intent; a draft",
        CHECKING,
        "an invoice with a number that nobody here knows",
        CHECKING,
    )
    SEND_INVOICE = Row(
        "worker.send_invoice",
        "asks Stripe to mail an invoice to its customer",
        "a running row with an intent; an invoice that was not mailed",
        CHECKING,
        "an invoice that was mailed, of which nobody here knows",
        CHECKING,
    )
    SETTLE_INVOICE = Row(
        "worker.settle_invoice",
        "asks Stripe to take an invoice for paid: by a payment that was made before, or past Stripe",
        "a running row with an intent; an open invoice",
        CHECKING,
        "a paid invoice that is taken for open here",
        CHECKING,
    )
    CLOSE_INVOICE = Row(
        "worker.close_invoice",
        "asks Stripe to take an invoice back, or to give it up",
        "a running row with an intent; an open invoice",
        CHECKING,
        "an invoice that is closed there and open here",
        CHECKING,
    )
    ANSWER_DISPUTE = Row(
        "worker.answer_dispute",
        "asks Stripe to send evidence to the bank",
        "a running row with an intent; a dispute that needs a response",
        CHECKING,
        "a dispute that is answered there and open here",
        CHECKING,
    )
    ACCEPT_DISPUTE = Row(
        "worker.accept_dispute",
        "asks Stripe to give a dispute in",
        "a running row with an intent; an open dispute",
        CHECKING,
        "a dispute that is closed there and open here",
        CHECKING,
    )
    LOOK_UP = Row(
        "worker.look_up",
        "asks Stripe what it knows; changes nothing there",
        "a running row",
        CHECKING,
        "a running row",
        CHECKING,
    )
    OUTCOME = Row(
        "worker.outcome",
        "commits how the attempt ended, with history and follow-up jobs",
        "a running row; whatever Stripe did is done",
        CHECKING,
        "older views",
        SHOWN,
    )
    BATCH = Row(
        "worker.batch",
        "commits the outcomes of a whole batch, with history and follow-up jobs",
        "running rows",
        LEASE,
        "older views",
        SHOWN,
    )
    SHOW = Row(
        "worker.show",
        "writes views that reads found missing, and wakes those who wait for them",
        "running rows; the views are missing",
        LEASE,
        "running rows; the views are there",
        LEASE,
    )
    PUT_ASIDE = Row(
        "worker.put_aside",
        "commits the outcome of a bad job of a batch",
        "a running row",
        LEASE,
        "the others of its batch still running",
        LEASE,
    )
    RELEASE = Row(
        "worker.release",
        "commits, as its process stops, that the jobs it still runs are due again",
        "running rows",
        CHECKING,
        "rows due and not marked",
        NEXT_POLL,
    )
    # Worker and dispatcher
    PRESENCE = Row(
        "process.presence",
        "commits that the process lives, or forgets those that are long gone",
        "an older sign of life",
        NEXT_REPAIR,
        "nothing undone",
        NEXT_REPAIR,
    )
    SHARE_BREAKER = Row(
        "process.share_breaker",
        "tells the other workers what it knows of Stripe's circuit breaker, and takes or renews the right to probe",
        "what the others knew before",
        EXCHANGED,
        "what it knew; perhaps the right to probe",
        EXCHANGED,
    )
    VIEWS = Row(
        "views.write",
        "writes views and wakes those who wait",
        "older views",
        SHOWN,
        "views that PostgreSQL takes for older",
        SHOWN,
    )
    NOTE = Row(
        "views.note",
        "commits which views were written",
        "views that PostgreSQL takes for older",
        SHOWN,
        "nothing undone",
        NEXT_POLL,
    )

    def __init__(self, row: Row) -> None:
        self.before = f"{row.name}.before"
        self.after = f"{row.name}.after"

    def __enter__(self) -> None:
        """Stand right before the effect."""
        if ARMED:
            reach(self.before)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stand right after the effect, if it had its way."""
        if ARMED and error is None:
            reach(self.after)


POINTS: Final = frozenset(point for step in Step for point in (step.before, step.after))


def arm_failpoints(failpoints: Iterable[Failpoint]) -> None:
    """Arm what `TOLLGATE_FAILPOINTS` says; raises SettingsError if it names a point of no step."""
    arm(failpoints, POINTS)

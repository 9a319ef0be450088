"""Every kind of job has a stable name, a queue that is served and an age at which it ends."""

from __future__ import annotations

import pytest

from config.errors import ContractError
from config.queues import QUEUES
from tasks.contracts.events import StripeEvent
from tasks.contracts.kinds import CONTRACTS, contract_of, kind_of


def test_the_kinds_keep_their_names_queues_and_versions() -> None:
    assert {name: (kind_of(name).queue, kind_of(name).version) for name in CONTRACTS} == {
        "notifications.send": ("notifications", 1),
        "events.heal": ("maintenance", 1),
        "disputes.submit": ("maintenance", 1),
        "disputes.accept": ("maintenance", 1),
        "disputes.watch": ("maintenance", 1),
        "invariants.check": ("maintenance", 1),
        "ledger.fee": ("maintenance", 1),
        "payments.create": ("payments", 2),
        "payments.refresh": ("maintenance", 1),
        "payments.review": ("maintenance", 1),
        "payments.capture": ("payments", 1),
        "payments.cancel": ("payments", 1),
        "payments.update": ("payments", 1),
        "payments.keep_evidence": ("maintenance", 1),
        "reconciliation.run": ("maintenance", 1),
        "refunds.create": ("refunds", 1),
        "invoices.create": ("invoices", 1),
        "invoices.batch": ("invoices", 1),
        "invoices.finalize": ("invoices", 1),
        "invoices.send": ("invoices", 1),
        "invoices.void": ("invoices", 1),
        "invoices.mark_uncollectible": ("invoices", 1),
        "invoices.pay_out_of_band": ("invoices", 1),
        "invoices.refresh": ("maintenance", 1),
        "invoices.remind": ("maintenance", 1),
        "stripe.event": ("webhooks", 1),
        "views.show": ("views", 1),
    }


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_kind_is_found_under_its_own_name_and_its_queue_is_served(name: str) -> None:
    kind = kind_of(name)
    assert kind.name == name
    assert kind.queue in QUEUES
    assert kind.max_age > 0
    assert kind.batch >= 1


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ContractError, match=r"no job kind 'payments\.steal'"):
        contract_of("payments.steal")


@pytest.mark.parametrize("body", [b"", b"{}", b"\x00\xff", b'{"id": "evt_1"}'])
def test_an_event_is_kept_to_the_byte(body: bytes) -> None:
    assert StripeEvent.from_bytes(StripeEvent(body).to_bytes()).body == body

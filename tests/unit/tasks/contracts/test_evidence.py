"""The contract of evidence reads back what it wrote."""

from __future__ import annotations

from tasks.contracts.evidence import KeepEvidence


def test_it_reads_back_what_it_wrote() -> None:
    request = KeepEvidence("pay_1", {"access_activity_log": "signed in\n\tsigned out — ok"}, shown=True)
    assert KeepEvidence.from_bytes(request.to_bytes()) == request

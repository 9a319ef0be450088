"""`docs/notifications.md` tells the types that there are, and its examples verify and sign what Tollgate does."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.retries import LANE_FAILURES, LANE_PAUSE, LONGEST_NOTIFICATION_PAUSE, SEND_NOTIFICATION_AGE
from ingress.notifications import (
    INVOICE_TYPES,
    PAYMENT_TYPES,
    REFUND_TYPES,
    NotifiedInvoiceSchema,
    NotifiedPaymentSchema,
)
from ingress.schemas import RefundSchema
from sandbox.website_receiver import Receiver, serve
from workers.gateways.standard_webhooks import new_secret, signed_headers
from workers.services.announcements import KEPT_BACK, TYPES

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
SECRET = new_secret()
BODY = b'{"type":"payment.paid","data":{}}'


def block(language: str, holding: str) -> str:
    """Return the one block of code in a language that holds some words."""
    [found] = [each for each in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if holding in each]
    return str(found)


@pytest.fixture
def verified() -> Callable[[str, Mapping[str, str], bytes], Any]:
    names: dict[str, Any] = {}
    exec(block("python", "def verified"), names)  # noqa: S102 - the page is ours
    return names["verified"]  # type: ignore[no-any-return]  # from the page


def headers(at: float = 0.0, keys: tuple[str, ...] = (SECRET,)) -> dict[str, str]:
    return dict(signed_headers("job_a", int(time.time() + at), BODY, keys))


def test_the_pages_python_takes_what_tollgate_signs(verified: Callable[..., Any]) -> None:
    assert verified(SECRET, headers(), BODY)["type"] == "payment.paid"
    assert verified(SECRET, headers(keys=(new_secret(), SECRET)), BODY)["type"] == "payment.paid"


@pytest.mark.parametrize(
    ("secret", "changed", "body"),
    [
        (new_secret(), {}, BODY),
        (SECRET, {}, BODY + b" "),
        (SECRET, {"webhook-id": "job_b"}, BODY),
        (SECRET, {"webhook-timestamp": str(int(time.time()) + 10)}, BODY),
        (SECRET, {"webhook-signature": "v1,"}, BODY),
        (SECRET, headers(at=-301.0), BODY),
        (SECRET, headers(at=3600.0), BODY),
    ],
    ids=["another secret", "another body", "another id", "another time", "no signature", "too old", "of the future"],
)
def test_the_pages_python_refuses_anything_else(
    verified: Callable[..., Any], secret: str, changed: dict[str, str], body: bytes
) -> None:
    with pytest.raises(ValueError, match=r"old|signature"):
        verified(secret, {**headers(), **changed}, body)


def test_the_pages_shell_commands_sign_as_tollgate_does(tmp_path: Path) -> None:
    with serve(0, tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            receiver = Receiver(tmp_path, server.server_address[1])
            receiver.keep_secret(SECRET)
            done = subprocess.run(
                ["/bin/sh", "-eu", "-c", block("sh", "openssl")],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SECRET": SECRET, "ENDPOINT": receiver.url},
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.stdout.strip() == "204"
    assert [each["webhook_id"] for each in receiver.heard()] == ["msg_by_hand"]


def test_the_page_and_the_openapi_document_name_every_type_and_no_other() -> None:
    table = PAGE.partition("| type | when |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`((?:payment|refund|invoice)\.\w+)`", table)) == set(TYPES)
    assert {*PAYMENT_TYPES, *REFUND_TYPES, *INVOICE_TYPES} == set(TYPES)


def test_the_page_tells_the_figures_of_the_code() -> None:
    assert (SEND_NOTIFICATION_AGE, LONGEST_NOTIFICATION_PAUSE, LANE_PAUSE, LANE_FAILURES) == (259_200, 1800, 30, 5)


def test_what_is_kept_back_is_not_described() -> None:
    assert not KEPT_BACK & set(NotifiedPaymentSchema().fields)
    assert not KEPT_BACK & set(RefundSchema().fields)
    assert not KEPT_BACK & set(NotifiedInvoiceSchema().fields)

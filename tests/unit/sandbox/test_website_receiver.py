"""The sandbox's website takes what is signed for it, once, and nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import WebsiteError
from config.website_settings import WebsiteSettings
from sandbox.website_receiver import PATH, SECRET, Receiver, serve
from workers.gateways.standard_webhooks import new_secret
from workers.gateways.website import Recipient, WebsiteGateway

BODY = json.dumps({"type": "payment.paid", "timestamp": "2026-03-01T12:00:00Z", "data": {"id": "pay_a"}}).encode()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with serve(0, tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Receiver(tmp_path, server.server_address[1])
        server.shutdown()
        thread.join()


def send(receiver: Receiver, secret: str, name: str = "job_1", at: float = 0.0, path: str = PATH) -> None:
    settings = WebsiteSettings(5.0, 5.0, on_loopback=True)
    sender = WebsiteGateway(settings, width=1, clock=lambda: time.time() + at)
    sender.send(Recipient("end_1", receiver.url.replace(PATH, path), [secret]), name, BODY)


def refused(receiver: Receiver, secret: str, **changes: float | str) -> str:
    with pytest.raises(WebsiteError) as caught:
        send(receiver, secret, **changes)  # type: ignore[arg-type]  # each goes where it belongs
    return str(caught.value)


def test_it_takes_what_is_signed_for_it_and_knows_it_again(receiver: Receiver) -> None:
    secret = new_secret()
    receiver.keep_secret(secret)
    for name in ("job_1", "job_1", "job_2"):
        send(receiver, secret, name)
    assert [(each["webhook_id"], each["type"]) for each in receiver.heard()] == [
        ("job_1", "payment.paid"),
        ("job_2", "payment.paid"),
    ]


def test_it_takes_nothing_that_another_signed_or_that_is_old_or_for_another_page(receiver: Receiver) -> None:
    secret = new_secret()
    assert "503" in refused(receiver, secret)
    receiver.keep_secret(secret)
    assert "401" in refused(receiver, new_secret())
    assert "401" in refused(receiver, secret, at=-600.0)
    assert "404" in refused(receiver, secret, path="/elsewhere")
    assert receiver.heard() == []


def test_its_secret_is_readable_by_nobody_else(receiver: Receiver) -> None:
    receiver.keep_secret(new_secret())
    assert (receiver.folder / SECRET).stat().st_mode & 0o077 == 0

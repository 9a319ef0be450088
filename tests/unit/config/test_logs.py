"""Logs: one line each, with ids, and never a secret."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from config.logs import bind, bound, configure_logs
from config.redaction import redact
from config.settings import LogSettings

SECRETS = [
    "4242 4242 4242 4242",
    "sk_test_51Habcdefghijkl",
    "rk_live_51Habcdefghijkl",
    "whsec_abcDEF123+/=",
    "tg_live_abcdefgh_" + "a" * 38,
    "pi_3Abc_secret_xyz",
    "ada.lovelace+x@mail.example.org",
]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_logger_process_ids_and_extras(stream: io.StringIO) -> None:
    configure_logs(LogSettings("INFO", "json"), "web", stream)
    with bind(request_id="req_1"), bind(job_id="job_1"):
        logging.getLogger("x.y").info("hello %s", "world", extra={"milliseconds": 1.5})
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "x.y",
        "message": "hello world",
        "process": "web",
        "request_id": "req_1",
        "job_id": "job_1",
        "milliseconds": 1.5,
    }


def test_ids_end_with_their_block_and_belong_to_their_thread(stream: io.StringIO) -> None:
    configure_logs(LogSettings("INFO", "json"), "web", stream)
    elsewhere: list[dict[str, str]] = []
    with bind(request_id="req_1"):
        thread = threading.Thread(target=lambda: elsewhere.append(bound()))
        thread.start()
        thread.join()
    logging.getLogger("x").info("after")
    assert elsewhere == [{}]
    assert "request_id" not in lines(stream)[0]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_is_blotted_out_wherever_it_stands(stream: io.StringIO, secret: str, form: Any) -> None:
    configure_logs(LogSettings("INFO", form), "web", stream)
    try:
        int(f"bad {secret}")
    except ValueError:
        logging.getLogger("x").exception("seen %s", secret, extra={"deep": {"er": [secret]}})
    with bind(request_id=secret):
        logging.getLogger("x").info("seen")
    assert secret not in stream.getvalue()
    assert "[" in stream.getvalue()


def test_a_login_in_an_address_is_blotted_out() -> None:
    assert redact("redis://user:hunter2@host:6379/0 is away") == "redis://[login]@host:6379/0 is away"


def test_ordinary_words_stay() -> None:
    text = "job_4zne5f3cpxuzwxuf4gwcolx6q2 took 12 ms, pi_3Abc, pay_psllb4cciywirkrfno2cht5xz7, 2026-11-23T07:45:02Z"
    assert redact(text) == text


def test_a_terminal_gets_one_readable_line(stream: io.StringIO) -> None:
    stream.isatty = lambda: True  # type: ignore[method-assign]  # a terminal
    configure_logs(LogSettings("INFO", "auto"), "web", stream)
    logging.getLogger("x").warning("hello", extra={"n": 1})
    assert "\x1b[33mWARNING\x1b[0m web x: hello n=1\n" in stream.getvalue()


def test_a_file_gets_json_under_auto(stream: io.StringIO) -> None:
    configure_logs(LogSettings("INFO", "auto"), "web", stream)
    logging.getLogger("x").info("hello")
    assert lines(stream)[0]["message"] == "hello"


def test_levels_below_are_left_out_and_warnings_captured(stream: io.StringIO) -> None:
    configure_logs(LogSettings("WARNING", "json"), "web", stream)
    logging.getLogger("x").info("quiet")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    (line,) = lines(stream)
    assert (line["logger"], "careful" in line["message"]) == ("py.warnings", True)


def test_configuring_twice_writes_once(stream: io.StringIO) -> None:
    configure_logs(LogSettings("INFO", "json"), "web", stream)
    configure_logs(LogSettings("INFO", "json"), "web", stream)
    logging.getLogger("x").info("hello")
    assert len(lines(stream)) == 1

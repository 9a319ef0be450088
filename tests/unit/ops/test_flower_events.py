"""What Flower may show of an event: ids, states, errors of ours, places; never what a job carries."""

from __future__ import annotations

import pytest
from celery.exceptions import Retry
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.encoding import safe_repr

from config.errors import JobDeadError, JobRefusedError, StripeUnavailableError
from ops.flower_events import UNTOLD, presentable

JOB = "job_" + "a" * 26
PAYMENT = "pay_" + "b" * 26
TRACE = """Traceback (most recent call last):
  File "/app/tasks/job.py", line 116, in tell
    raise Retry(message=f"{result.state}: anna@example.com")
celery.exceptions.Retry: waiting: Stripe was not reached
"""


def shown(name: str, value: object, kind: str = "task-failed") -> object:
    return presentable({"type": kind, name: value})[name]


@pytest.mark.parametrize("name", ["args", "kwargs"])
def test_of_arguments_only_ids_are_shown(name: str) -> None:
    assert shown(name, f"(['{JOB}', '{PAYMENT}', 'Anna Example', 4242],)") == f"{JOB}, {PAYMENT}"
    assert shown(name, "('anna@example.com',)") == ""


@pytest.mark.parametrize("text", [f"{JOB}: done", f"{JOB} waiting", "3 done, 2 waiting", "nothing to do", "12 done"])
def test_a_result_that_only_counts_states_is_shown(text: str) -> None:
    assert shown("result", repr(text), "task-succeeded") == text


@pytest.mark.parametrize(
    "text", ["Anna Example", f"{JOB}: done for anna", "done", "{'email': 'x'}", f"{JOB}: paid by A"]
)
def test_any_other_result_is_reduced_to_its_ids(text: str) -> None:
    assert shown("result", repr(text), "task-succeeded") == (JOB if JOB in text else "")


@pytest.mark.parametrize("kind", [StripeUnavailableError, JobDeadError, JobRefusedError])
def test_an_error_of_ours_is_shown_with_its_words_and_without_secrets(kind: type[Exception]) -> None:
    error = kind("not reached, key sk_test_4eC39HqLyjWDarjtT1zdp7dc, card 4242 4242 4242 4242, anna@example.com")
    text = str(shown("exception", repr(error)))
    assert text.startswith(f"{kind.__name__}('not reached, key [stripe key]")
    assert not any(secret in text for secret in ("sk_test", "4242", "anna"))


@pytest.mark.parametrize(
    "error", [KeyError("Anna"), ValueError("could not convert 'Anna'"), RuntimeError("StripeUnavailableError('Anna')")]
)
def test_of_any_other_error_only_its_name_is_shown(error: Exception) -> None:
    assert shown("exception", repr(error)) == f"{type(error).__name__} {UNTOLD}"


def test_a_long_error_is_cut() -> None:
    assert len(str(shown("exception", repr(StripeUnavailableError("x" * 5000))))) == 500


def test_the_reason_of_a_retry_is_found_where_celery_put_it() -> None:
    bare = {"type": "task-retried", "exception": safe_repr(Retry(message="waiting")), "traceback": TRACE}
    assert presentable(bare)["exception"] == "Retry: waiting: Stripe was not reached"
    caused = {**bare, "exception": safe_repr(Retry("waiting", exc=StripeUnavailableError("not reached")))}
    assert presentable(caused)["exception"] == "Retry: StripeUnavailableError('not reached')"
    foreign = {**bare, "exception": safe_repr(Retry("waiting", exc=KeyError("Anna")))}
    assert presentable(foreign)["exception"] == f"Retry: KeyError {UNTOLD}"
    assert presentable({"type": "task-retried"})["exception"] == f"Retry {UNTOLD}"


def test_of_a_traceback_only_the_places_are_shown() -> None:
    assert shown("traceback", TRACE) == '  File "/app/tasks/job.py", line 116, in tell'


def test_everything_else_of_an_event_stays_and_the_event_itself_is_unchanged() -> None:
    event = {"type": "task-received", "uuid": JOB, "name": "payments.create", "clock": 3, "args": "('Anna',)"}
    assert presentable(event) == {**event, "args": ""}
    assert event["args"] == "('Anna',)"


@given(st.text(max_size=200), st.text(max_size=200))
def test_nothing_breaks_it(exception: str, traceback: str) -> None:
    for kind in ("task-failed", "task-retried"):
        presentable({"type": kind, "exception": exception, "traceback": traceback, "result": exception})

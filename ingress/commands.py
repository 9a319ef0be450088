"""Commands: what a client asks to have done. They are read, kept and answered alike, whatever they are about."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request
from marshmallow import Schema

from ingress.accept import Receipt, Submission, accept
from ingress.answers import json_answer
from ingress.door import Door
from ingress.fields import load
from ingress.headers import idempotency_key, wait_seconds
from ingress.json_body import read_json
from ingress.news import News
from ingress.views import About, Unseen
from ingress.waiting import LONGEST_WAIT
from tasks.contracts import identity, representations
from tasks.contracts.api_keys import ApiKeyRecord
from tasks.contracts.job import Contract
from tasks.contracts.views import JobView, Subject

Write = Callable[[Subject], dict[str, Any]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """One request to have something done.

    Args:
        route: with client and key it names the command for ever.
        asked: the body, as its schema read it.
    """

    client: ApiKeyRecord
    route: str
    key: str
    fingerprint: str
    job_id: str
    asked: dict[str, Any]


def read_command(door: Door, route: str, schema: Schema, *, lines: bool = False) -> Command:
    """Read the request that is being answered.

    Args:
        door: what the process holds.
        route: with client and key it names the command for ever.
        schema: of the body.
        lines: whether the body's texts may have several lines.

    Raises:
        ProblemError: its API key, Idempotency-Key or body is not acceptable.
    """
    client = door.api_keys.authenticate(request)
    key = idempotency_key(request)
    document = read_json(request, lines=lines)
    return command_of(door, client, route, key, document, load(schema, document))


def command_of(door: Door, client: ApiKeyRecord, route: str, key: str, document: Any, asked: dict[str, Any]) -> Command:
    """Return what a client asks for by a document, and what was read of it."""
    identity_key = door.settings.identity_key
    # Over what was sent, not over what we make of it: a repeat stays a repeat after an upgrade.
    fingerprint = identity.fingerprint(identity_key, json.dumps(document, sort_keys=True, default=repr).encode())
    job_id = identity.job_id(identity_key, client.client_id, route, key, fingerprint)
    return Command(client, route, key, fingerprint, job_id, asked)


def keep(
    door: Door, command: Command, contract: Contract, subject: About, write: Write = representations.subject
) -> Response:
    """Accept a command and answer with what is known of it, or with its outcome if that comes in time.

    Args:
        door: what the process holds.
        command: as it was read.
        contract: the job that does it.
        subject: the first view of what it makes, or what it changes, unseen.
        write: writes the newest view of it.

    Raises:
        ProblemError, RedisAwayError: as `accept` does.
    """
    job = _first_job(door, command, contract, subject)
    first = (job,) if isinstance(subject, Unseen) else (job, subject)
    receipt = accept(
        door,
        Submission(
            job_id=job.id,
            kind=job.kind,
            version=contract.KIND.version,
            client_id=job.client_id,
            route=command.route,
            idempotency_key=command.key,
            fingerprint=command.fingerprint,
            subject_id=subject.id,
            request_id=g.request_id,
            payload=contract.to_bytes(),
            rate=command.client.rate,
            burst=command.client.burst,
            views={door.keyspace.view(view.id): view for view in first},
        ),
    )
    log.info(
        "accepted %s",
        job.kind,
        extra={"job_id": job.id, f"{subject.NOUN}_id": subject.id, "replayed": receipt.replayed},
    )
    return _answer(door, News(door, job, subject), receipt, write)


def _first_job(door: Door, command: Command, contract: Contract, subject: About) -> JobView:
    now = door.timestamp()
    return JobView(
        id=command.job_id,
        client_id=command.client.client_id,
        kind=contract.KIND.name,
        state="accepted",
        subject_id=subject.id,
        attempts=0,
        problem=None,
        created_at=now,
        updated_at=now,
    )


def _answer(door: Door, news: News, receipt: Receipt, write: Write) -> Response:
    """Answer with the outcome if it is there or comes in time, else with what is known; it is accepted either way."""
    if receipt.views_stand or isinstance(news.subject, Unseen):
        news.read()
    seconds = wait_seconds(request, LONGEST_WAIT)
    waited = False
    if seconds and not news.is_over():
        waited = door.waiting.wait(door.keyspace.waiters(news.job.id), seconds, news.read)
    headers = {"Location": f"/v1/jobs/{news.job.id}"}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
    if seconds and (waited or news.is_over()):
        headers["Preference-Applied"] = f"wait={seconds}"
    shown = None if isinstance(news.subject, Unseen) else write(news.subject)
    body = {"job": representations.job(news.job), news.subject.NOUN: shown}
    if news.is_over():
        return json_answer(body, headers=headers)
    if waited:
        door.outlook.look()  # much may have happened since it was accepted
    return json_answer(body, status=202, headers=headers | door.outlook.delays())

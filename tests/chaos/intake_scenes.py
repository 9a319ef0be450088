"""Scenes of the door and the journal: accepting, taking in, publishing, and what is shown."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from tasks.contracts.shows import ShowViews
from tasks.contracts.steps import Step
from tests.builders.entries import entry_of, new_key
from tests.builders.ingress import body
from tests.chaos.case import Case, Scene, dispatcher_case, worker_case
from tests.chaos.oracle import unsettled
from tests.chaos.stage import JOURNAL, Posted, Stage

NOBODY = "redis://127.0.0.1:1/0"  # port 1 answers nobody
STRANGER = "stranger"


def accepting(stage: Stage) -> Case:
    """The client posts; what it is answered is lost, so it repeats its key and must get the same job."""
    key = new_key()
    document = body(customer={"name": "Ada Lovelace", "email": f"ada.{key}@example.org"})
    posted = Posted(key, document, "", "")
    case = Case(posted, "ingress", {"token": stage.site.token.text, "key": key, "document": document}, list)

    def repeat() -> None:
        first, second = stage.site.post(document, key).json, stage.site.post(document, key).json
        assert first is not None
        assert second is not None
        assert first["job"]["id"] == second["job"]["id"]
        case.posted = Posted(key, document, first["job"]["id"], first["payment"]["id"])

    case.help = repeat
    case.wrong = lambda: unsettled(stage, case.posted)
    return case


def taking_in(stage: Stage) -> Case:
    """An entry stands in the journal."""
    return dispatcher_case(stage, stage.post(), JOURNAL)


def taking_over(stage: Stage) -> Case:
    """Another dispatcher has read the entry and died."""
    posted = stage.post()
    reader = stage.house.reader("gone")
    stage.house.blocking.xreadgroup("dispatchers", reader.runtime.name, {stage.house.keyspace.journal: ">"})
    stage.time.advance(stage.house.runtime.settings.jobs.claim_idle)
    return dispatcher_case(stage, posted, ["left"])


def without_broker(stage: Stage) -> Case:
    """The broker is away when the first hints are sent."""
    return dispatcher_case(stage, stage.post(), JOURNAL, plan={"broker_url": NOBODY})


def reusing_a_key(stage: Stage) -> Case:
    """Redis has forgotten a key, and it is used again with another body: PostgreSQL refuses."""
    posted = stage.posted_and_done()
    stage.house.runtime.redis.delete(*stage.house.runtime.redis.keys(stage.house.keyspace.idempotency("*")))
    again = stage.post(posted.key, amount=9900)
    assert again.job_id != posted.job_id
    case = dispatcher_case(stage, posted, ["new"])

    def wrong() -> list[str]:
        shown = stage.house.job_view(again.job_id).state
        kept = stage.house.runtime.redis.keys(stage.house.keyspace.idempotency("*"))
        return [
            *unsettled(stage, posted),
            *([f"the second body is shown as {shown}"] if shown != "refused" else []),
            *(["its idempotency record is kept"] if kept else []),
        ]

    case.wrong = wrong
    return case


def _strange(stage: Stage) -> tuple[Posted, Callable[[], None]]:
    """Post as a client that PostgreSQL does not know until the returned function is called."""
    client = f"{STRANGER}-{secrets.token_hex(4)}"
    known, stage.site.token = stage.site.token, stage.site.new_key(client)
    try:
        posted = stage.post()
    finally:
        stage.site.token = known
    return posted, lambda: stage.house.add_client(client)


def setting_aside(stage: Stage) -> Case:
    """The entry is of a client that PostgreSQL does not know yet."""
    posted, introduce = _strange(stage)
    return dispatcher_case(stage, posted, JOURNAL, help=introduce)


def bringing_back(stage: Stage) -> Case:
    """An entry has waited for its client, who is known now."""
    posted, introduce = _strange(stage)
    stage.take_in()
    introduce()
    return dispatcher_case(stage, posted, ["waiting entries"])


def rejecting(stage: Stage) -> Case:
    """Beside a good entry stands one that was tampered with."""
    posted = stage.post()
    redis, keyspace = stage.house.runtime.redis, stage.house.keyspace
    entries: Any = redis.xrange(keyspace.journal)
    redis.xadd(keyspace.journal, {**entries[0][1], b"subject_id": b"pay_another"})
    case = dispatcher_case(stage, posted, JOURNAL)
    case.wrong = lambda: [
        *unsettled(stage, posted),
        *([] if redis.xlen(keyspace.journal_rejected) else ["the forged entry is not among the rejected"]),
    ]
    return case


def publishing(stage: Stage) -> Case:
    """A job's time has come again."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    stage.house.sql("UPDATE jobs SET published_at = NULL WHERE id = :id", id=posted.job_id)
    return dispatcher_case(stage, posted, ["publish"])


def republishing(stage: Stage) -> Case:
    """A job's hint is lost."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    stage.time.advance(stage.house.runtime.settings.jobs.republish_grace)
    return dispatcher_case(stage, posted, ["republish"])


def rescuing(stage: Stage) -> Case:
    """A worker has claimed the job and died."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    stage.house.claim(posted.job_id)
    stage.time.advance(stage.house.runtime.settings.jobs.lease)
    return dispatcher_case(stage, posted, ["rescue"])


def repairing(stage: Stage) -> Case:
    """Everything is done and nothing is shown, for Redis was away."""
    posted = stage.posted_and_done()
    keyspace = stage.house.keyspace
    stage.house.sql("UPDATE jobs SET projected_version = 0 WHERE id = :id", id=posted.job_id)
    stage.house.sql("UPDATE payments SET projected_version = 0 WHERE id = :id", id=posted.payment_id)
    stage.house.runtime.redis.delete(keyspace.view(posted.job_id), keyspace.view(posted.payment_id))
    stage.time.advance(2.0)
    return dispatcher_case(stage, posted, ["views"])


def filling_anew(stage: Stage) -> Case:
    """Redis has forgotten everything."""
    posted = stage.posted_and_done()
    redis, keyspace = stage.house.runtime.redis, stage.house.keyspace
    key = keyspace.api_key(stage.site.token.key_id)
    stage.time.advance(2.0)
    redis.delete(*redis.keys(f"{keyspace.prefix}*"))
    case = dispatcher_case(stage, posted, ["epoch", "views"])

    def wrong() -> list[str]:
        missing = [name for name in (key, keyspace.epoch) if not redis.exists(name)]
        return [*missing, *(unsettled(stage, posted) if stage.house.runtime.redis.exists(keyspace.journal) else ["—"])]

    case.wrong = wrong
    return case


def showing(stage: Stage) -> Case:
    """Redis has lost a payment's view, and its client asks for it."""
    posted = stage.posted_and_done()
    stage.house.runtime.redis.delete(stage.house.keyspace.view(posted.payment_id))
    request = ShowViews(posted.payment_id)
    stage.house.post(entry_of(request, client="site", route="views", key=new_key(), subject=posted.payment_id))
    stage.take_in()
    return worker_case(stage, posted, "views")


SCENES = (
    Scene("accepting", (Step.ACCEPT,), accepting),
    Scene("taking in", (Step.JOIN, Step.READ, Step.INTAKE, Step.HINT, Step.ACKNOWLEDGE), taking_in),
    Scene("taking over", (Step.TAKE_OVER, Step.INTAKE, Step.ACKNOWLEDGE), taking_over),
    Scene("without broker", (Step.UNMARK,), without_broker),
    Scene("reusing a key", (Step.REFUSE, Step.FORGET), reusing_a_key),
    Scene("setting aside", (Step.SET_ASIDE,), setting_aside),
    Scene("bringing back", (Step.BRING_BACK,), bringing_back),
    Scene("rejecting", (Step.REJECT,), rejecting),
    Scene("publishing", (Step.PUBLISH, Step.HINT), publishing),
    Scene("republishing", (Step.DECLARE, Step.REPUBLISH, Step.HINT), republishing),
    Scene("rescuing", (Step.RESCUE,), rescuing),
    Scene("repairing", (Step.VIEWS, Step.NOTE), repairing),
    Scene("filling anew", (Step.API_KEYS, Step.MARK_BEHIND, Step.EPOCH, Step.VIEWS, Step.NOTE), filling_anew),
    Scene("showing", (Step.SHOW,), showing),
)

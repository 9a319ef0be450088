"""No effect without its step, by watching: what PostgreSQL, Redis, Stripe and websites are made to do is done in one.

Every scene is played in this process, unarmed. PostgreSQL itself says which transactions wrote, Valkey which commands
write. `tests/unit/tasks/contracts/test_effects.py` holds the same by reading the code.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery
from kombu.transport.virtual import Channel
from redis import Redis
from redis.connection import AbstractConnection
from sqlalchemy import Connection, Engine, event
from urllib3 import HTTPConnectionPool

from tasks import upkeep
from tasks.contracts.steps import Step
from tests.chaos.case import Scene
from tests.chaos.roles import ROLES
from tests.chaos.scenes import SCENES
from tests.chaos.stage import Stage
from workers.gateways.transport import Transport

pytestmark = pytest.mark.servers
# The message that a worker takes: Celery does that, by BRPOP, and here `tests.chaos.roles` plays it.
CELERYS_OWN = {"RPOP"}
# Of these a server does not say that they write: it can't know what a script does, and of a family each part differs.
WRITE_TOO = {"EVAL", "EVALSHA", "XGROUP", "SCRIPT"}


MAKING = next(scene for scene in SCENES if scene.name == "making")


class Watch:
    """Notes each effect and the step in which it was, for as long as it is on."""

    def __init__(self, redis: Redis) -> None:
        commands: Any = redis.command()
        self._writes = {name.upper() for name, about in commands.items() if "write" in about["flags"]} | WRITE_TOO
        self._here = threading.local()
        self.on = False
        self.blind_to: Step | None = None
        self.seen: set[Step] = set()
        self.outside: list[str] = []

    def enter(self, step: Step) -> None:
        assert not self._steps(), f"{step} begins within {self._steps()}: whose is the effect?"
        self._here.steps = [] if step is self.blind_to else [step]

    def leave(self) -> None:
        self._here.steps = []

    def _steps(self) -> list[Step]:
        return getattr(self._here, "steps", [])

    def effect(self, what: str) -> None:
        if not self.on:
            return
        for step in self._steps():
            self.seen.add(step)
            break
        else:
            self.outside.append(what)

    def command(self, *words: Any) -> None:
        name = str(words[0]).upper().partition(" ")[0]
        if name in self._writes - CELERYS_OWN:
            self.effect(f"Redis {name}")

    def commit(self, connection: Connection) -> None:
        if not self.on:
            return
        cursor = connection.connection.cursor()
        cursor.execute("SELECT pg_current_xact_id_if_assigned()")  # one that wrote or locked has an id
        [[identity]] = cursor.fetchall()
        cursor.close()
        if identity is not None:
            self.effect("PostgreSQL COMMIT")


@pytest.fixture
def watch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watching = Watch(stage.house.runtime.redis)
    enter, leave = Step.__enter__, Step.__exit__
    send, pack, request = AbstractConnection.send_command, AbstractConnection.pack_commands, Transport.request
    declare, hint, urlopen = Channel.queue_declare, Celery.send_task, HTTPConnectionPool.urlopen

    def entering(step: Step) -> None:
        watching.enter(step)
        enter(step)

    def leaving(step: Step, *error: Any) -> None:
        watching.leave()
        leave(step, *error)

    def sending(connection: Any, *words: Any, **options: Any) -> Any:
        watching.command(*words)
        return send(connection, *words, **options)

    def packing(connection: Any, commands: Any) -> Any:
        for words in commands:
            watching.command(*words)
        return pack(connection, commands)

    def requesting(transport: Any, method: str, *rest: Any, **options: Any) -> Any:
        watching.effect(f"Stripe {method.upper()}")
        return request(transport, method, *rest, **options)

    def opening(pool: Any, method: str, *rest: Any, **options: Any) -> Any:
        watching.effect(f"HTTP {method}")
        return urlopen(pool, method, *rest, **options)

    def declaring(channel: Any, *rest: Any, **options: Any) -> Any:
        watching.effect("Celery queue")
        return declare(channel, *rest, **options)

    def hinting(app: Celery, *rest: Any, **options: Any) -> Any:
        watching.effect("Celery message")
        return hint(app, *rest, **options)

    monkeypatch.setattr(Step, "__enter__", entering)
    monkeypatch.setattr(Channel, "queue_declare", declaring)
    monkeypatch.setattr(Celery, "send_task", hinting)
    monkeypatch.setattr(Step, "__exit__", leaving)
    monkeypatch.setattr(AbstractConnection, "send_command", sending)
    monkeypatch.setattr(AbstractConnection, "pack_commands", packing)
    monkeypatch.setattr(Transport, "request", requesting)
    monkeypatch.setattr(HTTPConnectionPool, "urlopen", opening)
    monkeypatch.setattr(upkeep, "IDLE_CONSUMER_MS", upkeep.IDLE_CONSUMER_MS)  # a role sets it, and here it is set back
    event.listen(Engine, "commit", watching.commit)
    yield watching
    event.remove(Engine, "commit", watching.commit)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    watch.on = True
    try:
        yield
    finally:
        watch.on = False


def play(stage: Stage, scene: Scene, watch: Watch) -> None:
    """Play a scene to the end of its actor, watching the actor alone."""
    case = scene.arrange(stage)
    with watched(watch):
        ROLES[case.role]({**stage.plan, **case.plan}, **case.arguments)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name.replace(" ", "_"))
def test_every_effect_is_in_a_step_and_every_step_of_a_scene_has_one(stage: Stage, scene: Scene, watch: Watch) -> None:
    play(stage, scene, watch)
    assert watch.outside == []
    assert set(scene.steps) <= watch.seen


def test_every_step_of_the_table_is_in_a_scene() -> None:
    assert {step for scene in SCENES for step in scene.steps} == set(Step)


@pytest.mark.parametrize("step", MAKING.steps, ids=lambda step: step.value.name)
def test_a_step_that_is_taken_out_is_missed(stage: Stage, watch: Watch, step: Step) -> None:
    watch.blind_to = step
    play(stage, MAKING, watch)
    assert watch.outside != []
    assert step not in watch.seen

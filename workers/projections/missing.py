"""What Redis has not, shown because a client asked for it; or the word that there is none.

It is bounded: so many jobs a second for each client (`ingress.misses`), in batches, and their rows are deleted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import one_of
from tasks.contracts.lists import ListKey
from tasks.contracts.shows import ShowViews
from tasks.contracts.steps import Step
from tasks.contracts.views import FINAL_JOB_STATES, AbsentView, BatchView
from workers.projections.list_views import Listed, read_lists
from workers.projections.nouns import Noun, by_noun
from workers.projections.projector import Shown, current_epoch, note, read_noun, shown_list, write
from workers.projections.unbegun import INVOICE_PREFIX, in_no_batch, read_unbegun_invoices
from workers.runtime import Runtime

# A page of unknown ids asked for in a loop costs one job a client and half a minute; what is made meanwhile is shown in
# its own place, where it is found first.
ABSENT_SECONDS = 30
# Of an invoice: its batch may be on its way in with another dispatcher, and its id was told to the client at once.
ABSENT_INVOICE_SECONDS = 2
OLDER_LIST_SECONDS = 600  # of a list that no projection keeps up: somebody pages through it now
PIECE = 200  # views that are sealed and written together
ABSENT_VERSION = 0
UNBEGUN_VERSION = 0  # older than that of any row

_NOW = text("SELECT EXTRACT(EPOCH FROM clock_timestamp())::float")
# Jobs of Tollgate's own are shown to nobody; things that a job is yet to make are not absent.
_HIDDEN = text("SELECT id FROM jobs WHERE id = ANY(:ids) AND projected_version > version")
_TO_BE_MADE = text(f"""
SELECT DISTINCT subject_id FROM jobs
WHERE subject_id = ANY(:ids) AND kind <> :show AND NOT {one_of("state", tuple(sorted(FINAL_JOB_STATES)))}
""")  # noqa: S608 - built of constants


@dataclass(slots=True)
class _Found:
    """What there is to write."""

    epoch: int
    things: dict[Noun, list[Shown]] = field(default_factory=dict)
    lists: list[Shown] = field(default_factory=list)
    unbegun: list[Shown] = field(default_factory=list)
    absent: list[Shown] = field(default_factory=list)

    def all(self) -> list[Shown]:
        things = (view for views in self.things.values() for view in views)
        return [*things, *self.lists, *self.unbegun, *self.absent]


def show_missing(runtime: Runtime, wanted: Sequence[tuple[str, ShowViews]]) -> None:
    """Show what clients asked for, each with the client's id, and wake those who wait for it.

    Raises:
        RedisError: if Redis is away.
        DatabaseAwayError: if PostgreSQL is.
        SealBrokenError, KeyringError: if something can't be opened to be shown.
    """
    with runtime.reading() as session:
        found = _find(session, runtime, wanted)
    views = found.all()
    for start in range(0, len(views), PIECE):
        # With the last piece: whoever is woken finds all of it.
        wake = [request.subject_id for _, request in wanted] if start + PIECE >= len(views) else []
        write(runtime, views[start : start + PIECE], Step.SHOW, again=True, wake=wake)
    note(runtime, found.things)


def _find(session: Session, runtime: Runtime, wanted: Sequence[tuple[str, ShowViews]]) -> _Found:
    found = _Found(current_epoch(session))
    keys = {
        ListKey(client, request.noun, request.value, request.before): None
        for client, request in wanted
        if request.noun is not None and request.value is not None
    }
    listed = read_lists(session, runtime.settings, list(keys))
    asked = [request.subject_id for _, request in wanted if request.noun is None]
    hidden = set(session.scalars(_HIDDEN, {"ids": asked}))
    entries = [name for each in listed for name in each.entries]
    _read(session, runtime, found, [name for name in (*asked, *entries) if name not in hidden])
    # Whoever follows a batch wants to see how far its invoices are, and whether their jobs are over.
    batches = [view.view for views in found.things.values() for view in views if isinstance(view.view, BatchView)]
    _read(session, runtime, found, [name for batch in batches for name in (*batch.invoices, *batch.jobs.values())])
    found.lists = [view for each in listed for view in _list(runtime, each, found.epoch)]
    there = {view.id for views in found.things.values() for view in views}
    found.unbegun = _unbegun(session, runtime, [name for name in asked if name not in there], found.epoch)
    there.update(view.id for view in found.unbegun)
    found.absent = _absent(session, runtime, (name for name in asked if name not in there), found.epoch)
    return found


def _read(session: Session, runtime: Runtime, found: _Found, names: Iterable[str]) -> None:
    there = {view.id for views in found.things.values() for view in views}
    for noun, wanted in by_noun(name for name in names if name not in there).items():
        found.things.setdefault(noun, []).extend(read_noun(session, runtime, noun, wanted, found.epoch))


def _list(runtime: Runtime, listed: Listed, epoch: int) -> list[Shown]:
    # An empty list is what anybody can ask for, and an older one is kept up by no projection.
    older = OLDER_LIST_SECONDS if listed.key.before else None
    return shown_list(runtime, listed, epoch, seconds=older if listed.total else ABSENT_SECONDS)


def _unbegun(session: Session, runtime: Runtime, names: Sequence[str], epoch: int) -> list[Shown]:
    keyspace = runtime.settings.redis.keyspace
    views = read_unbegun_invoices(session, runtime.settings.encryption_keys, names)
    return [Shown(view.id, keyspace.view(view.id), epoch, UNBEGUN_VERSION, view) for view in views]


def _absent(session: Session, runtime: Runtime, names: Iterable[str], epoch: int) -> list[Shown]:
    candidates = in_no_batch(session, sorted(set(names)))
    parameters = {"ids": candidates, "show": ShowViews.KIND.name}
    to_be_made = set(session.scalars(_TO_BE_MADE, parameters)) if candidates else set()
    now = session.execute(_NOW).scalar_one()
    keyspace = runtime.settings.redis.keyspace
    words = {name: _absent_seconds(name) for name in candidates if name not in to_be_made}
    return [
        Shown(name, keyspace.absent(name), epoch, ABSENT_VERSION, AbsentView(name, now + seconds), seconds)
        for name, seconds in words.items()
    ]


def _absent_seconds(name: str) -> int:
    return ABSENT_INVOICE_SECONDS if name.startswith(INVOICE_PREFIX) else ABSENT_SECONDS

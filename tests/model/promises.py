"""What must hold after every step, whatever has happened, and when everything has come to rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from models.job import DUE_STATES, JOB_MOVES
from tests.model.puppet import Puppet
from tests.model.sight import AttemptRow, Row, Sight
from tests.model.world import World
from workers.jobs.intake import NEVER_PROJECTED
from workers.jobs.outcome import FINAL_STATES

# Nothing but a job's present attempt may change these; the dispatcher's marks and the views' versions are others'.
WORK = ("state", "intent", "intent_generation", "attempts", "snoozes", "problem", "verdict", "next_run_at")
ENDINGS = frozenset({"done", "refused", "dead", "waiting", "checking", "rescued", "released", "cancelled"})


class BrokenPromiseError(AssertionError):
    """The model has found a fault."""


def check_step(world: World, before: Sight, after: Sight, actor: Puppet | None) -> None:
    """Check what one step has changed.

    Args:
        world: the world after the step.
        before: what was there before it.
        after: what is there now.
        actor: the process that made the step, if one did.

    Raises:
        BrokenPromiseError: names what is wrong.
    """
    _raise([*_of_step(world, before, after, actor), *_of_moment(world, after)])
    if actor is not None:
        _note_claims(before, after, actor)


def check_rest(world: World, sight: Sight) -> None:
    """Check what must hold once everything has come to rest; raises as `check_step` does."""
    _raise([*_of_moment(world, sight), *_of_rest(world, sight)])


def _raise(flaws: list[str]) -> None:
    if flaws:
        raise BrokenPromiseError("; ".join(flaws))


def _of_moment(world: World, sight: Sight) -> Iterator[str]:
    yield from world.requests.surprises
    yield from world.complaints.heard
    yield from world.arrivals.strays
    yield from _nothing_lost(world, sight)
    yield from _never_twice(world, sight)
    yield from _attempts_are_consistent(sight)
    for name, job in sight.jobs.items():
        if job["state"] not in {*FINAL_STATES, "running"} and job["next_run_at"] is None:
            yield f"nobody will ever look at {name}"


def _nothing_lost(world: World, sight: Sight) -> Iterator[str]:
    scopes = {job["scope"] for job in sight.jobs.values()}
    missing = [promise for promise in world.requests.accepted.values() if promise.scope not in scopes]
    if missing:
        outstanding = world.memory.outstanding()
        for promise in missing:
            if promise.job_id not in outstanding:
                yield f"{promise.job_id} was accepted, and is neither in the journal nor in PostgreSQL"


def _never_twice(world: World, sight: Sight) -> Iterator[str]:
    for key in world.stripe.forgotten:
        yield f"{key} was used again after Stripe had forgotten it"
    for name, payment in sight.payments.items():
        made = world.stripe.made_for(name)
        if len(made) > 1:
            yield f"{name} has {len(made)} PaymentIntents"
        if made and payment["status"] == "failed":
            yield f"{name} is called failed, and Stripe has a PaymentIntent for it"
    for name, job in sight.jobs.items():
        proven = job["state"] in {"refused", "cancelled"} or job["verdict"] == "safe_to_replay"
        if job["kind"] == "payments.create" and proven and world.stripe.made_for(job["subject_id"]):
            yield f"{name} is {job['state']} as if nothing had been done, and Stripe has a PaymentIntent for it"


def _attempts_are_consistent(sight: Sight) -> Iterator[str]:
    counted = dict.fromkeys(sight.jobs, 0)
    released = dict.fromkeys(sight.jobs, 0)
    for attempt in sight.attempts:
        job = sight.jobs[attempt.job_id]
        counted[attempt.job_id] += 1
        released[attempt.job_id] += attempt.outcome == "released"
        if not attempt.ended and not sight.is_running(attempt.job_id, attempt.fence):
            yield f"attempt {attempt.fence} of {attempt.job_id} is open, and the job is {job['state']}"
        if attempt.ended and attempt.outcome not in ENDINGS:
            yield f"attempt {attempt.fence} of {attempt.job_id} ended as {attempt.outcome}"
        if attempt.ended and sight.is_running(attempt.job_id, attempt.fence):
            yield f"attempt {attempt.fence} of {attempt.job_id} has ended, and its job is running"
    for name, job in sight.jobs.items():
        if counted[name] != job["fence"]:
            yield f"{name} has fence {job['fence']} after {counted[name]} claims"
        if not job["replays"] and job["attempts"] != job["fence"] - job["snoozes"] - released[name]:
            yield f"{name} counts {job['attempts']} attempts of {job['fence']} claims and {job['snoozes']} snoozes"


def _of_step(world: World, before: Sight, after: Sight, actor: Puppet | None) -> Iterator[str]:
    if actor is not None and actor.error is not None:
        yield f"{actor.worker} ended with {actor.error!r}"
    for name, job in after.jobs.items():
        was = before.jobs.get(name)
        if was is not None and was != job:
            yield from _job_step(world, name, was, job, before, after)
            if actor is not None:
                yield from _owner_step(name, was, job, actor, before)
    for name, payment in after.payments.items():
        known = before.payments.get(name)
        if known is not None and known != payment:
            yield from _payment_step(name, known, payment, before, actor)
    for key, shown in after.views.items():
        if shown < before.views.get(key, shown):
            yield f"the view {key} went back from {before.views[key]} to {shown}"


def _job_step(world: World, name: str, was: Row, job: Row, before: Sight, after: Sight) -> Iterator[str]:
    if not JOB_MOVES.allow(was["state"], job["state"]):
        yield f"{name} went from {was['state']} to {job['state']}"
    if job["version"] < was["version"]:
        yield f"{name} went back from version {was['version']} to {job['version']}"
    if job["state"] != was["state"] and job["state"] != "running" and job["version"] == was["version"]:
        yield f"{name} became {job['state']} in a version that was shown already"
    yield from _claim_step(name, was, job, before, after)
    yield from _rescue_step(name, was, job, before, after)
    if was["state"] == "running" and job["intent_generation"] > was["intent_generation"]:
        age = 0.0 if was["intent_at"] is None else after.now - was["intent_at"]
        if age < world.settings.jobs.generation_wait:
            yield f"{name} began a new generation {age:.0f} s after its intent"


def _claim_step(name: str, was: Row, job: Row, before: Sight, after: Sight) -> Iterator[str]:
    if job["fence"] == was["fence"]:
        if job["state"] == "running" and was["state"] != "running":
            yield f"{name} was claimed under an old fence"
        return
    if job["fence"] != was["fence"] + 1:
        yield f"the fence of {name} went from {was['fence']} to {job['fence']}"
    if was["state"] not in DUE_STATES or was["next_run_at"] > after.now:
        yield f"{name} was claimed while it was {was['state']} and due in {was['next_run_at'] - after.now:.2f} s"
    if was["queue"] in before.paused and not was["cancelling"]:
        yield f"{name} was claimed though its queue is paused"


def _rescue_step(name: str, was: Row, job: Row, before: Sight, after: Sight) -> Iterator[str]:
    ended = {each for each in after.attempts if each.outcome in {"rescued", "released"}} - set(before.attempts)
    outcomes = {each.outcome for each in ended if each.job_id == name}
    if "rescued" in outcomes and (was["lease_until"] is None or was["lease_until"] >= after.now):
        yield f"{name} was rescued from an attempt whose lease still runs"
    if outcomes and was["intent"] is not None and job["state"] != "checking":
        yield f"{name} was given back as {job['state']}, though Stripe may have been asked"


def _owner_step(name: str, was: Row, job: Row, actor: Puppet, before: Sight) -> Iterator[str]:
    fence = actor.claims.get(name)
    changed = [column for column in WORK if was[column] != job[column]]
    if fence is not None and changed and not before.is_running(name, fence):
        yield f"attempt {fence} of {name} wrote {', '.join(changed)} after it had lost the job"
    if fence is None and changed and actor.worker.startswith("w") and job["fence"] == was["fence"]:
        yield f"{actor.worker} wrote {', '.join(changed)} of {name}, which it never claimed"


def _payment_step(name: str, was: Row, payment: Row, before: Sight, actor: Puppet | None) -> Iterator[str]:
    if payment["version"] < was["version"]:
        yield f"{name} went back from version {was['version']} to {payment['version']}"
    if payment["amount_received"] < was["amount_received"]:
        yield f"{name} has received less than before"
    told = [column for column in ("status", "stripe_id") if was[column] != payment[column]]
    if told and actor is not None and not any(before.is_running(job, fence) for job, fence in actor.claims.items()):
        yield f"{actor.worker} wrote {', '.join(told)} of {name} without owning a job"
    if told and payment["version"] == was["version"] and "status" in told:
        yield f"{name} became {payment['status']} in a version that was shown already"


def _note_claims(before: Sight, after: Sight, actor: Puppet) -> None:
    known = {(each.job_id, each.fence) for each in before.attempts}
    for each in _new(after.attempts, known):
        if each.worker == actor.worker:
            actor.claims[each.job_id] = each.fence


def _new(attempts: Iterable[AttemptRow], known: set[tuple[str, int]]) -> Iterator[AttemptRow]:
    return (each for each in attempts if (each.job_id, each.fence) not in known)


def _of_rest(world: World, sight: Sight) -> Iterator[str]:
    for name, job in sight.jobs.items():
        if job["state"] not in FINAL_STATES:
            yield f"{name} has not come to an end: {job['state']}"
        if job["projected_version"] not in {job["version"], NEVER_PROJECTED}:
            yield f"{name} is shown in version {job['projected_version']} and is {job['version']}"
        if job["kind"] == "payments.create" and job["state"] == "done":
            yield from _was_made(world, sight, job)
    for promise in world.requests.accepted.values():
        holder = [name for name, job in sight.jobs.items() if job["scope"] == promise.scope]
        if len(holder) != 1:
            yield f"{promise.job_id} was accepted, and its key has {len(holder)} jobs"
    left = world.memory.outstanding()
    if left:
        yield f"{len(left)} journal entries are never taken in"
    for name, payment in sight.payments.items():
        if payment["projected_version"] != payment["version"]:
            yield f"{name} is shown in version {payment['projected_version']} and is {payment['version']}"
    yield from _views_are_true(world, sight)


def _was_made(world: World, sight: Sight, job: Row) -> Iterator[str]:
    name = job["subject_id"]
    made = world.stripe.made_for(name)
    known = sight.payments[name]["stripe_id"] if name in sight.payments else None
    if len(made) != 1 or made[0]["id"] != known:
        yield f"{name} is done with {known}, and Stripe has {[each['id'] for each in made]}"


def _views_are_true(world: World, sight: Sight) -> Iterator[str]:
    rows = {**sight.jobs, **sight.payments}
    for name in world.requests.subjects():
        shown = sight.views.get(world.memory.keyspace.view(name))
        row = rows.get(name)
        if row is not None and shown is not None and shown != (sight.epoch, row["version"]):
            yield f"{name} is shown as of {shown} and is at {(sight.epoch, row['version'])}"

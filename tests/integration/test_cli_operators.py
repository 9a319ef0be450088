"""`tollgate dead`, `jobs`, `queue` and `journal` on real servers, as an operator types them at three in the morning."""

from __future__ import annotations

from typing import Any

import pytest

from ops.acting import STEP
from tasks.contracts.steps import Step
from tasks.upkeep import trim
from tests.builders.command_line import Run, runner
from tests.builders.entries import payment_entry, resigned
from tests.builders.house import House
from tests.builders.settings import complete_settings, put
from workers.jobs.presence import give_sign

pytestmark = pytest.mark.servers
WHY = ("--by", "ada", "--why", "INC-42")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, house: House) -> Run:
    settings = house.runtime.settings
    put(
        monkeypatch,
        complete_settings(
            TOLLGATE_DATABASE_URL=settings.database.url,
            TOLLGATE_REDIS_URL=settings.redis.url,
            TOLLGATE_REDIS_PREFIX=settings.redis.keyspace.prefix,
        ),
    )

    return runner(capsys)


def accepted(house: House) -> str:
    entry = payment_entry()
    house.take_in(entry)
    return entry.job_id


def dead(house: House, number: int = 1, verdict: str = "safe_to_replay") -> list[str]:
    ids = [accepted(house) for _ in range(number)]
    house.force(
        "UPDATE jobs SET state = 'dead', verdict = :verdict, finished_at = clock_timestamp(), attempts = 7,"
        ' first_error = \'{"type": "StripeError", "message": "at first"}\','
        ' last_error = \'{"type": "GaveUp", "message": "at last"}\' WHERE id = ANY(:ids)',
        verdict=verdict,
        ids=ids,
    )
    return ids


def states(house: House) -> dict[str, str]:
    return {row["id"]: row["state"] for row in house.sql("SELECT id, state FROM jobs")}


# Dead letters


def test_no_dead_letters_is_said(run: Run) -> None:
    ran = run("dead", "list")
    assert (ran.code, ran.out, ran.err) == (0, "", "0 dead letter(s)\n")


def test_dead_letters_are_listed_with_reason_and_verdict(house: House, run: Run) -> None:
    [job_id] = dead(house)
    dead(house, 2, "never")
    ran = run("dead", "list", "--queue", "payments.dead", "--limit", "2")
    assert ran.out.splitlines()[0].split()[:4] == ["JOB", "QUEUE", "KIND", "SUBJECT"]
    first = ran.out.splitlines()[1]
    assert first.startswith(job_id)
    assert "payments.dead" in first
    assert "safe_to_replay" in first
    assert first.endswith("GaveUp: at last")
    assert ran.err == "3 dead letter(s), 2 shown; 2 never; 1 safe_to_replay\n"
    assert run("dead", "list", "--json").json["by_verdict"] == {"safe_to_replay": 1, "never": 2}


def test_a_dead_letter_is_shown_with_its_first_and_last_error_and_its_attempts(house: House, run: Run) -> None:
    [job_id] = dead(house)
    house.sql(
        "INSERT INTO attempts (job_id, fence, worker, outcome) VALUES (:id, 1, 'worker@here:1', 'waiting')", id=job_id
    )
    ran = run("dead", "show", job_id)
    for words in ("at first", "at last", "safe_to_replay", "worker@here:1", "attempts:            7"):
        assert words in ran.out
    shown = run("dead", "show", job_id, "--json").json
    assert (shown["first_error"]["message"], shown["tries"][0]["outcome"]) == ("at first", "waiting")


def test_showing_what_is_not_dead_says_what_it_is(house: House, run: Run) -> None:
    ran = run("dead", "show", accepted(house))
    assert ran.code == 1
    assert "is not dead but ready" in ran.err


def test_a_replay_makes_due_again_and_is_kept_with_who_and_why(house: House, run: Run) -> None:
    [job_id] = dead(house)
    ran = run("dead", "replay", job_id, *WHY)
    assert (ran.code, ran.out, ran.err) == (0, f"{job_id}\n", "1 replayed\n")
    assert states(house) == {job_id: "ready"}
    assert "INC-42" in run("jobs", "show", job_id).out


def test_a_dry_run_changes_nothing(house: House, run: Run) -> None:
    ids = dead(house, 2)
    for verb, past in (("replay", "replayed"), ("discard", "discarded")):
        ran = run("dead", verb, "--queue", "payments", *WHY, "--dry-run")
        assert sorted(ran.out.split()) == sorted(ids)
        assert ran.err == f"2 would be {past}; nothing was changed\n"
    assert set(states(house).values()) == {"dead"}
    assert house.sql("SELECT * FROM operator_actions") == []


def test_many_are_replayed_in_steps_with_their_progress(house: House, run: Run) -> None:
    ids = dead(house)
    house.sql(
        "INSERT INTO jobs (id, kind, queue, contract_version, client_id, subject_id, scope, fingerprint, request_id,"
        " payload, state, verdict, accepted_at, expires_at, finished_at)"
        " SELECT id || n, kind, queue, contract_version, client_id, subject_id, scope || n, fingerprint, request_id,"
        " payload, state, verdict, accepted_at, expires_at, finished_at FROM jobs, generate_series(1, :most) AS n",
        most=STEP + 50,
    )
    ran = run("dead", "replay", "--all", *WHY)
    assert len(ran.out.split()) == STEP + 51
    assert f"replay: {STEP} of {STEP + 51}\n" in ran.err
    assert set(states(house).values()) == {"ready"}
    assert ids[0] in states(house)


def test_what_must_never_be_replayed_is_named_and_left_alone(house: House, run: Run) -> None:
    [job_id] = dead(house, verdict="never")
    ran = run("dead", "replay", "--all", *WHY)
    assert ran.code == 0
    assert f"1 left alone, since their verdict is 'never': {job_id}" in ran.err
    assert states(house) == {job_id: "dead"}
    named = run("dead", "replay", job_id, *WHY)
    assert named.code == 1
    assert f"not to be replayed, their verdict is 'never': {job_id}" in named.err


def test_discarding_puts_away(house: House, run: Run) -> None:
    [job_id] = dead(house)
    assert run("dead", "discard", job_id, *WHY, "--json").json["jobs"] == [job_id]
    assert run("dead", "list", "--json").json["total"] == 0
    assert run("dead", "show", job_id).code == 0


def test_only_of_what_is_in_doubt_it_can_be_said_that_nothing_was_done(house: House, run: Run) -> None:
    [doubtful] = dead(house, verdict="reconcile_first")
    [safe], [never] = dead(house), dead(house, verdict="never")
    would = run("dead", "not-done", doubtful, *WHY, "--dry-run", "--json").json
    assert (would["jobs"], states(house)[doubtful]) == ([doubtful], "dead")
    ran = run("dead", "not-done", doubtful, safe, never, *WHY)
    assert (ran.code, ran.out.split()[0]) == (1, doubtful)
    left = ", ".join(sorted([never, safe]))
    assert f"left alone, being not dead or not in doubt (verdict reconcile_first): {left}" in ran.err
    assert states(house) == {doubtful: "checking", safe: "dead", never: "dead"}
    assert "not_done" in run("jobs", "show", doubtful).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dead", "not-done", "job_1"), "Missing option '--why'"),
        (("dead", "replay", *WHY), "say which"),
        (("dead", "replay", "--all"), "Missing option '--why'"),
        (("dead", "replay", "--all", "--why", " "), "in a few words"),
        (("dead", "list", "--queue", "paymets"), "there is no queue 'paymets'; there are payments,"),
        (("dead", "list", "--since", "yesterday"), "is no time"),
        (("dead", "discard", "--error", "", *WHY), "there is --all"),
        (("queue", "pause", "paymets", *WHY), "is not one of"),
        (("jobs", "show", "\udcff"), "no text in UTF-8"),
        (("jobs", "cancel", *WHY), "Missing argument"),
    ],
)
def test_a_mistyped_command_says_what_to_write(run: Run, arguments: tuple[str, ...], words: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert words in ran.err


def test_ids_that_are_no_dead_letters_are_named(house: House, run: Run) -> None:
    [job_id] = dead(house)
    ran = run("dead", "replay", job_id, "job_none", *WHY)
    assert (ran.code, ran.out) == (1, f"{job_id}\n")
    assert "not among the dead letters: job_none" in ran.err


# Jobs


def test_jobs_are_listed_by_state_queue_kind_and_subject(house: House, run: Run) -> None:
    entry = payment_entry()
    house.take_in(entry)
    other = accepted(house)
    house.force("UPDATE jobs SET state = 'done' WHERE id = :id", id=other)
    assert [job["id"] for job in run("jobs", "list", "--state", "done", "--json").json] == [other]
    assert [job["id"] for job in run("jobs", "list", "--subject", entry.subject_id, "--json").json] == [entry.job_id]
    assert entry.job_id in run("jobs", "list", "--queue", "payments", "--kind", "payments.create").out


def test_a_job_that_is_not_there_is_said_to_be_so(run: Run) -> None:
    ran = run("jobs", "show", "job_none")
    assert (ran.code, ran.err.startswith("Error: there is no job 'job_none'")) == (1, True)


def test_cancelling_names_what_it_was_and_refuses_what_is_over(house: House, run: Run) -> None:
    job_id, over = accepted(house), accepted(house)
    house.force("UPDATE jobs SET state = 'done' WHERE id = :id", id=over)
    assert run("jobs", "cancel", job_id, *WHY, "--dry-run").out == f"{job_id}  would be cancelled; it was ready\n"
    assert house.job(job_id)["cancel_asked_at"] is None
    ran = run("jobs", "cancel", job_id, over, "job_none", *WHY)
    assert (ran.code, ran.out) == (1, f"{job_id}  is being cancelled; it was ready\n")
    assert f"{over} is done; job_none is unknown" in ran.err
    assert house.create(job_id).state == "cancelled"


def test_what_a_terminal_would_obey_is_not_printed(house: House, run: Run) -> None:
    job_id = accepted(house)
    run("jobs", "cancel", job_id, "--by", "\x1b[31mada", "--why", "one\nanother")
    shown = run("jobs", "show", job_id).out
    assert "\x1b" not in shown
    assert "\ufffd[31mada" in shown
    assert "one\ufffdanother" in shown


def test_a_dry_run_touches_no_row_and_no_sequence(house: House, run: Run) -> None:
    job_id = accepted(house)
    run("queue", "pause", "refunds", *WHY)

    def all_there_is() -> list[Any]:
        return [
            house.sql("SELECT xmin::text, xmax::text, jobs.* FROM jobs"),
            house.sql("SELECT xmin::text, xmax::text, queues.* FROM queues"),
            house.sql("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"),
        ]

    before = all_there_is()
    assert "would be cancelled" in run("jobs", "cancel", job_id, *WHY, "--dry-run").out
    assert run("queue", "pause", "payments", *WHY, "--dry-run").err == "payments would be paused\n"
    assert run("queue", "resume", "refunds", *WHY, "--dry-run").err == "refunds would be resumed\n"
    assert all_there_is() == before


# Queues


def test_queues_are_listed_with_what_waits_in_them(house: House, run: Run) -> None:
    accepted(house)
    dead(house)
    with house.runtime.transaction(Step.PRESENCE) as session:
        give_sign(session, "worker@here:1", strays=3)
    listed = run("queue", "list", "--json").json
    [payments] = [queue for queue in listed["queues"] if queue["queue"] == "payments"]
    assert (payments["ready"], payments["dead"], payments["running"], payments["paused_at"]) == (1, 1, 0, None)
    assert payments["due_for_seconds"] >= 0
    assert listed["strays"] == 3
    assert "3 message(s) were no hints" in run("queue", "list").err


def test_a_queue_is_paused_and_resumed(house: House, run: Run) -> None:
    job_id = accepted(house)
    assert run("queue", "pause", "payments", *WHY, "--dry-run").err == "payments would be paused\n"
    assert len(house.sql("SELECT * FROM queues")) == 0
    assert run("queue", "pause", "payments", *WHY).err == "payments paused\n"
    assert run("queue", "pause", "payments", *WHY).err == "payments is paused already\n"
    assert run("queue", "pause", "refunds", "refunds", *WHY).err == "refunds paused\n"
    assert house.claim(job_id) == []
    shown = run("queue", "list", "--json").json["queues"]
    [paused] = [each for each in shown if each["queue"] == "payments"]
    assert (paused["paused_by"], paused["why"]) == ("ada", "INC-42")
    house.sql("UPDATE jobs SET expires_at = clock_timestamp() WHERE id = :id", id=job_id)
    assert "1 of its jobs are too old by now" in run("queue", "resume", "payments", *WHY, "--dry-run").err
    house.sql("UPDATE jobs SET expires_at = clock_timestamp() + interval '1 hour' WHERE id = :id", id=job_id)
    resumed = run("queue", "resume", "payments", *WHY, "--json").json
    assert resumed == {"dry_run": False, "changed": {"payments": True}, "too_old": {"payments": 0}}
    assert len(house.claim(job_id)) == 1


# The journal


def test_the_journals_standing_is_shown(house: House, run: Run) -> None:
    assert run("journal", "status", "--json").json["entries"] == 0
    house.post(payment_entry(), payment_entry())
    assert run("journal", "status", "--json").json["unread"] == 2
    house.reader().take_new()
    shown = run("journal", "status", "--json").json
    assert (shown["entries"], shown["unread"], shown["being_taken_in"]) == (2, 0, 0)
    assert "entries:           2" in run("journal", "status").out


def test_forged_entries_are_listed_with_the_reason(house: House, run: Run) -> None:
    forged = resigned(payment_entry(), mac_key_id="m1")
    fields = {**forged.to_fields(), "mac": b"x" * 32}
    house.runtime.redis.xadd(house.keyspace.journal, fields)  # type: ignore[arg-type]  # redis-py's type of fields is invariant
    house.reader().take_new()
    [entry] = run("journal", "rejected", "--json").json
    assert entry["job"] == forged.job_id
    assert "the ingress did not write this entry" in entry["why"]
    assert "1 rejected entry" in run("journal", "rejected").err


def test_a_restored_database_takes_the_journal_in_again_and_its_views_win(house: House, run: Run) -> None:
    entries = [payment_entry(), payment_entry()]
    house.post(*entries)
    house.reader().take_new()
    house.sql("DELETE FROM jobs WHERE id = :id", id=entries[1].job_id)
    dry = run("journal", "reread", *WHY, "--dry-run")
    assert dry.err == "2 entries would be read again from 0-0; nothing was changed\n"
    before = house.one("SELECT epoch FROM projection_epoch")["epoch"]
    trim(house.runtime, lambda: 0.0)
    assert house.runtime.redis.exists(house.keyspace.journal_taken_in)
    ran = run("journal", "reread", *WHY)
    assert ran.code == 0
    assert not house.runtime.redis.exists(house.keyspace.journal_taken_in), "it is kept for a day from now on"
    house.reader().take_new()
    assert sorted(states(house)) == sorted(entry.job_id for entry in entries)
    assert house.one("SELECT epoch FROM projection_epoch")["epoch"] == before + 1
    assert house.pending() == 0
    [action] = house.sql("SELECT * FROM operator_actions")
    assert (action["action"], action["operator"], action["details"]["since"]) == ("reread", "ada", "0-0")


def test_rereading_since_a_time_leaves_out_what_came_before(house: House, run: Run) -> None:
    old = payment_entry()
    house.runtime.redis.xadd(house.keyspace.journal, {**old.to_fields()}, id="1000-0")
    house.post(payment_entry())
    house.reader().take_new()
    assert run("journal", "reread", "--since", "2100-01-01", *WHY).code == 0
    assert house.reader().take_new() == 0
    assert run("journal", "reread", "--since", "1h", *WHY).code == 0
    assert house.reader().take_new() == 1
    assert run("journal", "reread", "--since", "1960-01-01", *WHY).code == 0
    assert house.reader().take_new() == 2


@pytest.mark.parametrize("since", ["1s", "2100-01-01"])
def test_rereading_skips_nothing_that_was_accepted_while_no_dispatcher_ran(house: House, run: Run, since: str) -> None:
    house.runtime.redis.xadd(house.keyspace.journal, {**payment_entry().to_fields()}, id="1000-0")
    house.reader().take_new()
    house.runtime.redis.xadd(house.keyspace.journal, {**payment_entry().to_fields()}, id="2000-0")
    assert run("journal", "reread", "--since", since, *WHY).code == 0
    assert run("journal", "status", "--json").json["unread"] == 1
    assert house.reader().take_new() == 1


def test_what_is_unread_is_told_even_where_redis_lost_count(house: House, run: Run) -> None:
    ids = house.post(*[payment_entry() for _ in range(3)])
    house.reader().take_new()
    house.runtime.redis.xdel(house.keyspace.journal, ids[1])
    assert run("journal", "reread", *WHY).code == 0
    assert run("journal", "status", "--json").json["unread"] == 2


def test_a_journal_that_nobody_has_read_yet_can_be_read_from_its_beginning(house: House, run: Run) -> None:
    house.post(payment_entry())
    assert run("journal", "reread", *WHY).code == 0
    assert house.reader().take_new() == 1

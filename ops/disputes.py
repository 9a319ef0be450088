"""`tollgate disputes`: what banks want to have back, and what an operator answers."""

import hashlib
from typing import Any

import click
from sqlalchemy import Row, or_, select, text
from sqlalchemy.orm import Session

from config.currencies import in_units
from config.errors import TollgateError
from config.settings import load_database, load_worker
from models.base import one_of
from models.dispute import NEEDS_RESPONSE, UNDER_WAY, Dispute
from models.payment import Payment
from ops.acting import acting, operator
from ops.connections import database_complaints, open_session
from ops.evidence import print_assembly
from ops.output import dry_run_option, in_words, json_option, print_json, print_table, printable, say
from tasks.contracts.disputes import AcceptDispute, DisputeOperation, SubmitDispute
from tasks.contracts.steps import Step
from workers.jobs.follow_up import enqueue
from workers.jobs.operator import Operator
from workers.runtime import Runtime, create_runtime
from workers.services.dispute_operations import refusal_of
from workers.services.evidence import assembly
from workers.services.evidence_texts import Assembly

DEFAULT_LIMIT = 50
_COLUMNS = """
id, payment_id AS payment, stripe_id AS stripe, case_type AS case, status, reason, amount, withdrawn, reinstated,
currency, due_at AS due_by, submissions, past_due, opened_at AS opened
"""
_LIST = text(f"""
SELECT {_COLUMNS} FROM disputes WHERE (:everything OR {one_of("status", UNDER_WAY)})
ORDER BY due_at NULLS LAST, id LIMIT :limit
""")  # noqa: S608 - built of constants
_ONE = text(f"""
SELECT {_COLUMNS}, stripe_charge_id AS charge, network_reason_code, has_evidence, is_charge_refundable
FROM disputes WHERE id = :name OR stripe_id = :name
""")  # noqa: S608 - as above
_HISTORY = text("""
SELECT old, new, source, evidence, recorded_at AS recorded FROM history WHERE subject_id = :id ORDER BY id
""")
_NOW = text("SELECT clock_timestamp()")
_CAME_TO_NOTHING = text("""
SELECT id, state = 'dead' AND discarded_at IS NULL AS is_open FROM jobs
WHERE subject_id = :dispute AND kind = :kind AND state IN ('cancelled', 'refused', 'dead') ORDER BY id
""")
_JOBS = text("SELECT id, kind, state, problem FROM jobs WHERE subject_id = :id ORDER BY created_at, id")


@click.group()
def disputes_group() -> None:
    """List and show disputes; send evidence to the bank, or give one in.

    Nothing is ever sent to a bank unless an operator says so here. `list` and `show` need TOLLGATE_DATABASE_URL,
    `submit` and `accept` the environment of a worker.

    Example: tollgate disputes list
    """


@disputes_group.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are closed as well.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=DEFAULT_LIMIT, show_default=True, help="At the most.")
@json_option
def list_disputes(*, everything: bool, limit: int, as_json: bool) -> None:
    """List the disputes under way, those first that are to be answered soonest.

    Example: tollgate disputes list --all
    """
    with open_session(load_database()) as session:
        rows = session.execute(_LIST, {"everything": everything, "limit": limit}).all()
    if as_json:
        print_json([dict(row._mapping) for row in rows])  # noqa: SLF001 - public
        return
    print_table([_line(row) for row in rows])
    say(f"{len(rows)} dispute(s)" + ("" if everything else " under way"))


def _line(row: Row[Any]) -> dict[str, str]:
    return {
        "DISPUTE": row.id,
        "PAYMENT": row.payment,
        "CASE": row.case,
        "STATUS": row.status,
        "REASON": printable(row.reason),
        "AMOUNT": f"{in_units(row.amount, row.currency)} {row.currency}",
        "DUE BY": in_words(row.due_by),
        "ANSWERED": "no" if row.status in NEEDS_RESPONSE or not row.submissions else "yes",
    }


@disputes_group.command()
@click.argument("dispute")
@json_option
def show(*, dispute: str, as_json: bool) -> None:
    """Show a DISPUTE, by our id or Stripe's, with its history and what operators had done. Nothing personal.

    Example: tollgate disputes show du_1MtJUT2eZvKYlo2CNaw2HvEv
    """
    with open_session(load_database()) as session:
        row = session.execute(_ONE, {"name": dispute.strip()}).first()
        if row is None:
            raise _none(dispute)
        history = [dict(each._mapping) for each in session.execute(_HISTORY, {"id": row.id})]  # noqa: SLF001 - public
        jobs = [dict(each._mapping) for each in session.execute(_JOBS, {"id": row.id})]  # noqa: SLF001 - public
    if as_json:
        print_json({**row._mapping, "history": history, "jobs": jobs})  # noqa: SLF001 - public
        return
    for name, value in row._mapping.items():  # noqa: SLF001 - public
        click.echo(f"{name.replace('_', ' ') + ':':<22}{printable(in_words(value))}")
    for title, rows in (("history", history), ("jobs", jobs)):
        if rows:
            click.echo(f"\n{title}")
            print_table([{name: in_words(value) for name, value in each.items()} for each in rows])


def _none(dispute: str) -> TollgateError:
    return TollgateError(
        f"there is no dispute '{printable(dispute.strip())}'; see 'tollgate disputes list --all'. They are written "
        "dsp_…, and du_… or dp_… at Stripe"
    )


@disputes_group.command()
@click.argument("dispute")
@acting
@dry_run_option
@json_option
def submit(*, dispute: str, by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Send to the bank of DISPUTE what `tollgate evidence show` assembles for its payment. A bank takes it once.

    An inquiry that was answered and has become a chargeback all the same is answered anew. After the day by which the
    bank wants an answer nothing is sent any more.

    It is shown in clear before; with --dry-run nothing else happens. A worker sends it, under a key of its own: sent
    again, the same evidence is the same job.

    Example: tollgate disputes submit dsp_psllb4cciywirkrfno2cht5xz7 --dry-run --why "read by Grace"
    """
    _decide(dispute, SubmitDispute, "submit", operator(by, why), dry_run=dry_run, as_json=as_json)


@disputes_group.command()
@click.argument("dispute")
@acting
@dry_run_option
@json_option
def accept(*, dispute: str, by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Give DISPUTE in: a chargeback is lost with its money, an inquiry is closed. It can't be taken back.

    Example: tollgate disputes accept dsp_psllb4cciywirkrfno2cht5xz7 --why "the course was cancelled"
    """
    _decide(dispute, AcceptDispute, "accept", operator(by, why), dry_run=dry_run, as_json=as_json)


def _decide(
    name: str, kind: type[DisputeOperation], action: str, who: Operator, *, dry_run: bool, as_json: bool
) -> None:
    runtime = create_runtime(load_worker(), "operator")
    try:
        with database_complaints():
            facts, assembled = _left(runtime, name, kind, action, who, dry_run=dry_run)
    finally:
        runtime.close()
    if as_json:
        texts = {} if assembled is None else {"evidence": assembled.texts}
        print_json({"dry_run": dry_run, **facts, **texts})
        return
    if assembled is not None:
        print_assembly(assembled)
    if dry_run:
        say("nothing was changed")
    else:
        say(f"left to a worker: tollgate jobs show {facts['job']}")


def _left(
    runtime: Runtime, name: str, kind: type[DisputeOperation], action: str, who: Operator, *, dry_run: bool
) -> tuple[dict[str, Any], Assembly | None]:
    """Leave the job behind, or only say what it would be given."""
    with runtime.transaction(Step.OUTCOME) as session:
        dispute = _find(session, name)
        refusal = refusal_of(kind, dispute, session.execute(_NOW).scalar_one())
        if refusal is not None:
            raise TollgateError(f"{dispute.id}: {refusal.problem['detail']}")
        assembled = _assembled(session, runtime, dispute) if kind is SubmitDispute else None
        facts = {"dispute": dispute.id, "payment": dispute.payment_id, "status": dispute.status, "job": None}
        if dry_run:
            return facts, assembled
        contract = kind(dispute.id)
        if assembled is not None:
            contract = SubmitDispute(dispute.id, assembled.texts, dispute.submissions)
        slot = _slot(contract)
        if ended := _ended(session, dispute, kind):
            slot = f"{slot}/{ended}"
        job_id = enqueue(
            session,
            runtime.settings,
            contract,
            client_id=dispute.client_id,
            subject_id=dispute.id,
            slot=slot,
            request_id="",
        )
        who.record(session, action, {dispute.id: {"status": dispute.status, "job": job_id}})
        return {**facts, "job": job_id}, assembled


def _ended(session: Session, dispute: Dispute, kind: type[DisputeOperation]) -> int:
    """Return how many such decisions about a dispute came to nothing: one more is a new one, with a job of its own.

    Raises:
        TollgateError: if one may have come to something, which is to be found out first.
    """
    rows = session.execute(_CAME_TO_NOTHING, {"dispute": dispute.id, "kind": kind.KIND.name}).all()
    for row in rows:
        if row.is_open:
            message = (
                f"{dispute.id}: the decision before is a dead letter: see `tollgate dead show {row.id}`, and replay"
            )
            raise TollgateError(f"{message} or discard it")
    return len(rows)


def _find(session: Session, name: str) -> Dispute:
    wanted = select(Dispute).where(or_(Dispute.id == name.strip(), Dispute.stripe_id == name.strip()))
    dispute = session.scalars(wanted).first()
    if dispute is None:
        raise _none(name)
    return dispute


def _assembled(session: Session, runtime: Runtime, dispute: Dispute) -> Assembly:
    payment = session.get_one(Payment, dispute.payment_id)
    return assembly(session, runtime.settings.encryption_keys, payment)


def _slot(contract: DisputeOperation) -> str:
    """Name a decision: the same evidence is the same job, other evidence, or for a bank that asks anew, another one."""
    return f"{contract.KIND.name}/{hashlib.sha256(contract.to_bytes()).hexdigest()}"

"""`tollgate evidence`: what was posted for a payment's dispute, and what would be submitted."""

import click
from sqlalchemy.orm import Session

from config.errors import TollgateError
from config.settings import load_database, load_sealed_database
from models.evidence import PaymentEvidence
from models.payment import Payment
from ops.connections import open_session
from ops.output import in_words, json_option, print_json, print_table, printable, say
from workers.services.evidence import assembly, pieces_of
from workers.services.evidence_texts import Assembly, Cut


@click.group()
def evidence_group() -> None:
    """Look at what is kept for the day on which a payment is disputed.

    Example: tollgate evidence list pay_yduweq2ys2un54toajsinaotan
    """


@evidence_group.command("list")
@click.argument("payment")
@json_option
def list_evidence(*, payment: str, as_json: bool) -> None:
    """List what was posted for PAYMENT, in the order of acceptance: fields, sizes and jobs, without any text.

    Needs TOLLGATE_DATABASE_URL.

    Example: tollgate evidence list pay_yduweq2ys2un54toajsinaotan
    """
    with open_session(load_database()) as session:
        rows = [_row(piece) for piece in pieces_of(session, _payment(session, payment).id)]
    if as_json:
        print_json(rows)
        return
    print_table([{name: in_words(value) for name, value in row.items()} for row in rows])
    say(f"{len(rows)} piece(s)")


def _row(piece: PaymentEvidence) -> dict[str, object]:
    return {
        "accepted": piece.accepted_at,
        "field": piece.field,
        "characters": piece.characters,
        "job": piece.job_id,
    }


@evidence_group.command()
@click.argument("payment")
@json_option
def show(*, payment: str, as_json: bool) -> None:
    """Show in clear what would be submitted for PAYMENT by now: what was posted, and what is known of it.

    It holds personal data. Changes and sends nothing. Needs TOLLGATE_DATABASE_URL and TOLLGATE_ENCRYPTION_KEYS.

    Example: tollgate evidence show pay_yduweq2ys2un54toajsinaotan
    """
    settings = load_sealed_database()
    with open_session(settings.database) as session:
        assembled = assembly(session, settings.encryption_keys, _payment(session, payment))
    if as_json:
        cuts = [{"field": cut.field, "characters": cut.characters, "limit": cut.limit} for cut in assembled.cuts]
        print_json({"payment": payment, "evidence": assembled.texts, "left_out": cuts})
        return
    print_assembly(assembled)


def print_assembly(assembled: Assembly) -> None:
    """Print what would be submitted, in clear, and what had to be left out."""
    for field, text in assembled.texts.items():
        click.echo(f"{field} ({len(text)} characters)")
        for line in text.split("\n"):
            click.echo(f"    {printable(line)}")
    for cut in assembled.cuts:
        say(_left_out(cut))


def _left_out(cut: Cut) -> str:
    return f"left out of {cut.field}: {cut.characters} characters, for Stripe takes at most {cut.limit}"


def _payment(session: Session, name: str) -> Payment:
    payment = session.get(Payment, name)
    if payment is None:
        raise TollgateError(f"there is no payment {printable(name)}; it is written pay_…, and 26 letters and digits")
    return payment

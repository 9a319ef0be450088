"""`tollgate ledger`: what each account holds, what was posted for an id, and whether the books agree."""

import dataclasses
import datetime as dt

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from config.currencies import CODES, in_units
from config.errors import TollgateError
from config.settings import load_database
from ops.connections import open_session
from ops.moments import MOMENT
from ops.output import in_words, instant, json_option, print_json, printable, say
from workers.services import books

MOST = 1000  # rows of one answer
WIDE = 200  # characters of a line where no terminal limits it: a file, or grep


@click.group()
def ledger_group() -> None:
    """Show what each account holds and what was posted, and check the books.

    A debit is positive, a credit negative: `stripe` is what Stripe holds for us, `bank` what it has paid out; sales are
    credits. Times are by Stripe's clock. Needs TOLLGATE_DATABASE_URL, and only reads.

    Example: tollgate ledger balances
    """


@ledger_group.command("balances")
@click.option("--at", type=MOMENT, help="As it was then: 2026-03-01T04:30:00Z, 2026-03-01, or 2h, 3d ago.")
@click.option("--currency", type=click.Choice(CODES), help="Only this currency.")
@json_option
def show_balances(*, at: dt.datetime | None, currency: str | None, as_json: bool) -> None:
    """Show the balance of every account in every currency.

    Example: tollgate ledger balances --at 2026-03-01 --currency gbp
    """
    with open_session(load_database()) as session:
        rows = [dict(row._mapping) for row in books.balances(session, at=at, currency=currency)]  # noqa: SLF001 - public
    if as_json:
        print_json(rows)
        return
    table = _table("CURRENCY", "ACCOUNT")
    table.add_column("BALANCE", justify="right")
    table.add_column("ENTRIES", justify="right")
    for row in rows:
        table.add_row(row["currency"], row["account"], in_units(row["balance"], row["currency"]), str(row["entries"]))
    _print(table)


@ledger_group.command()
@click.argument("name", metavar="ID")
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Show what was posted for an ID.

    ID is a payment's or refund's of ours, or one of Stripe's: a PaymentIntent, charge, refund, balance transaction,
    dispute or payout.

    Example: tollgate ledger show ch_3PqVmY2eZvKYlo2C0x4bM1nA
    """
    with open_session(load_database()) as session:
        rows = [dict(row._mapping) for row in books.transactions(session, name.strip(), limit=MOST)]  # noqa: SLF001 - public
    if not rows:
        raise TollgateError(f"nothing is posted for '{printable(name.strip())}'")
    if as_json:
        print_json(rows)
        return
    table = _table("OCCURRED", "KIND", "OF", "PAYMENT", "ACCOUNT")
    table.add_column("AMOUNT", justify="right")
    table.add_column("EVIDENCE")
    for row in rows:
        for number, entry in enumerate(row["entries"]):
            head = (instant(row["occurred_at"]), row["kind"], row["stripe_id"], in_words(row["payment_id"]))
            amount = f"{in_units(entry['amount'], row['currency'])} {row['currency']}"
            evidence = "" if number else in_words(row["evidence"])
            table.add_row(*("" if number else cell for cell in head), entry["account"], amount, evidence)
    _print(table)


@ledger_group.command()
@json_option
def check(*, as_json: bool) -> None:
    """Check the whole ledger against itself and against payments and refunds; fails on any difference.

    Every transaction must be at zero, captures equal what payments have received, refunds what was given back.

    Example: tollgate ledger check
    """
    with open_session(load_database()) as session:
        found = books.differences(session, limit=MOST)
    if as_json:
        print_json([dataclasses.asdict(each) for each in found])
    elif found:
        table = _table("WHAT", "OF", "CURRENCY")
        table.add_column("EXPECTED", justify="right")
        table.add_column("POSTED", justify="right")
        for each in found:
            amounts = (in_units(amount, each.currency) for amount in (each.expected, each.posted))
            table.add_row(each.what, each.subject, each.currency, *amounts)
        _print(table)
    if found:
        raise TollgateError(f"the books do not agree: {len(found)} difference(s){' or more' * (len(found) == MOST)}")
    say("the books agree")


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _print(table: Table) -> None:
    Console(width=None if Console().is_terminal else WIDE, highlight=False).print(table)

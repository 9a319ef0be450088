"""`tollgate explain`: one timeline of all that is recorded of an id, of ours or of Stripe's."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.errors import TollgateError
from config.settings import load_database
from ops.connections import open_session
from ops.output import in_words, json_option, print_json, printable, say
from workers.timelines.line import Clock, Line
from workers.timelines.subjects import MOST_PAYMENTS
from workers.timelines.timeline import Timeline, timeline_of

WIDE = 220  # characters of a line where no terminal limits it: a file, or grep
MINUTE, HOUR, DAY = 60, 3600, 86_400  # seconds


@click.command()
@click.argument("name", metavar="ID")
@click.option("--raw-times", is_flag=True, help="Print times as they are recorded, to the microsecond (RFC 3339, UTC).")
@json_option
def explain(*, name: str, raw_times: bool, as_json: bool) -> None:
    """Tell all that is recorded of an id, ours or Stripe's, as a timeline.

    ID is one of ours (job_ pay_ ref_ inv_ dsp_ cst_), a booking's reference, an invoice's number, one of Stripe's (pi_
    ch_ re_ in_ evt_ cus_ txn_ du_ po_), or the id of a request, ours or Stripe's (req_). The timeline holds what was
    accepted, attempts with Stripe's request ids, events, moves, ledger, refunds, invoices, notifications, flags and
    what operators did; nothing personal and no secret. Needs TOLLGATE_DATABASE_URL, and only reads.

    Times are in UTC. CLOCK says whose clock told them: Stripe's tells whole seconds, so what it did may seem to come
    before what led to it.

    Example: tollgate explain pi_mYFgTgjW3X8ZubcHACLWoujh
    """
    with open_session(load_database()) as session:
        timeline = timeline_of(session, name.strip())
    if timeline is None:
        raise TollgateError(_nothing(name.strip()))
    if as_json:
        print_json(_plain(name.strip(), timeline))
        return
    console = Console(width=None if Console().is_terminal else WIDE, highlight=False)
    for sort, rows in timeline.standing.items():
        for row in rows:
            console.print(Text(_standing(sort.removesuffix("s"), row)))
    console.print(_table(timeline, raw_times=raw_times))
    if timeline.subjects.more:
        say(f"there are more than {MOST_PAYMENTS} payments: the newest are told of; name one of the others")


def _nothing(name: str) -> str:
    ours = name.startswith(("job_", "pay_", "ref_", "inv_", "dsp_", "cst_"))
    advice = (
        "look whether it is taken in yet with 'tollgate journal status', and whether it is written in full"
        if ours
        else "it may be of another Stripe account, its event may not have come yet ('tollgate jobs list --kind "
        "stripe.event'), or a letter is wrong"
    )
    return f"nothing is known by '{printable(name)}': {advice}"


def _plain(name: str, timeline: Timeline) -> dict[str, Any]:
    return {
        "id": name,
        **timeline.standing,
        "more_payments": timeline.subjects.more,
        "timeline": [
            {
                "at": _raw(line.at),
                "clock": line.clock.name.lower(),
                "what": line.what,
                "subject": line.subject,
                "text": line.text,
                "details": _raw_times(line.details),
            }
            for line in timeline.lines
        ],
    }


def _raw(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _raw_times(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _raw(value) if isinstance(value, dt.datetime) else value for name, value in details.items()}


def _standing(sort: str, row: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in row.items() if value not in (None, False) and name != "id"}
    facts = "  ".join(f"{name.replace('_', ' ')} {in_words(value)}" for name, value in shown.items())
    return printable(f"{sort} {row['id']}  {facts}")


def _table(timeline: Timeline, *, raw_times: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("WHEN (UTC)", "SINCE", "CLOCK", "WHAT", "OF"):
        table.add_column(heading, no_wrap=True)
    table.add_column("WHAT HAPPENED", overflow="fold")
    first = timeline.lines[0].at if timeline.lines else None
    for line in timeline.lines:
        cells = (_when(line, raw_times=raw_times), _since(line, first), line.clock, line.what, line.subject, line.text)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _when(line: Line, *, raw_times: bool) -> str:
    if raw_times:
        return _raw(line.at)
    # Stripe tells whole seconds: fractions would claim what nobody knows.
    precision = "seconds" if line.clock is Clock.STRIPES else "milliseconds"
    return line.at.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ", timespec=precision)


def _since(line: Line, first: dt.datetime | None) -> str:
    seconds = (line.at - (first or line.at)).total_seconds()
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"+{seconds / unit:.0f} {letter}"
    return f"+{seconds:.1f} s" if line.clock is Clock.OURS else f"+{seconds:.0f} s"

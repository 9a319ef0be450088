"""`tollgate invariants`: whether money and states are as they must be, right now."""

import datetime as dt
from collections import Counter

import click

from config.errors import TollgateError
from config.settings import load_database
from ops.connections import open_session
from ops.moments import MOMENT
from ops.output import dry_run_option, in_words, json_option, print_json, print_table, say
from workers.services.invariants import Checked, look, look_at_others, write


@click.group()
def invariants_group() -> None:
    """Check whether money and states are as they must be.

    The same is checked every five minutes for what has changed. Needs TOLLGATE_DATABASE_URL.

    Example: tollgate invariants check --full
    """


@invariants_group.command("check")
@click.option("--full", is_flag=True, help="All payments, whenever they changed: some seconds for each 100,000.")
@click.option("--since", type=MOMENT, default="1d", show_default=True, help="Else those that changed since then.")
@dry_run_option
@json_option
def check_invariants(*, full: bool, since: dt.datetime, dry_run: bool, as_json: bool) -> None:
    """Check payments, refunds, bookings, jobs and the ledger; raise flags for what is found, clear what holds no more.

    Ends with 1 if something is found.

    Example: tollgate invariants check --full --dry-run
    """
    checked, raised, cleared = Checked(), Counter[str](), Counter[str]()
    with open_session(load_database()) as session:
        moment = None if full else since.isoformat()
        look_at_others(session, moment, checked)
        for _ in look(session, moment, checked):
            session.rollback()  # whatever the number of payments, no transaction is long
            if not as_json and checked.payments:
                say(f"{checked.payments} payment(s) checked")
        if not dry_run:
            while checked.unwritten():
                for total, more in zip((raised, cleared), write(session, None, checked), strict=True):
                    total.update(more)
                session.commit()
    rows = [{"kind": each.kind, "subject": each.subject_id, "details": each.details} for each in checked.found]
    if as_json:
        numbers = {"payments": checked.payments, "raised": raised, "cleared": cleared}
        print_json({"dry_run": dry_run, **numbers, "findings": rows})
    else:
        print_table([{name: in_words(value) for name, value in row.items()} for row in rows])
        words = "nothing was changed" if dry_run else f"{raised.total()} flag(s) raised, {cleared.total()} cleared"
        say(f"{checked.payments} payment(s), {len(rows)} finding(s); {words}")
    if rows:
        raise TollgateError(f"{len(rows)} thing(s) are not as they must be")

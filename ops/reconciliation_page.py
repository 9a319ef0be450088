"""A reconciliation as one HTML page that an accountant can read and keep: nothing is loaded from anywhere."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from config.currencies import in_units
from ops.output import instant
from ops.reconciliation_plot import breaks_by_kind, days
from workers.services.reconciliation.breaks import SUGGESTIONS, Break, BreakKind
from workers.services.reconciliation.result import Result, Total

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #1a1a1a; }
table { border-collapse: collapse; width: 100%; margin: 1em 0; }
th, td { text-align: left; padding: .3em .6em; border-bottom: 1px solid #ddd; vertical-align: top; }
td.amount, th.amount { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: #17692f; } .bad { color: #a11; } .id { font-family: monospace; font-size: 85%; word-break: break-all; }
svg { width: 100%; height: auto; } figure { margin: 1.5em 0; } figcaption { color: #555; }
"""
HOW_TO_READ = """
<p>Every movement of the balance at Stripe (its balance transactions) was held against the ledger account
<em>stripe</em>, which holds what Stripe owes us. For each day and currency:</p>
<p><strong>Stripe &minus; ledger &minus; other days &minus; breaks = remainder.</strong></p>
<p><em>Stripe</em> is by how much the balance moved, after fees, payouts included. <em>Ledger</em> is what was posted on
that day. <em>Other days</em> are movements that both know, and that the ledger has under another time.
<em>Breaks</em> are differences with a cause, listed one by one. The <em>remainder</em> is what nothing explains: it
should be zero.</p>
"""
TITLES: dict[BreakKind, str] = {
    BreakKind.AT_STRIPE_NOT_HERE: "At Stripe, not in our books",
    BreakKind.HERE_NOT_AT_STRIPE: "In our books, not at Stripe",
    BreakKind.AMOUNT_DIFFERS: "Amounts differ",
    BreakKind.CURRENCY_DIFFERS: "Currencies differ",
    BreakKind.STATUS_DIFFERS: "Statuses differ",
    BreakKind.FEE_DIFFERS: "Fees differ",
    BreakKind.LEDGER_MISSING: "Posting missing",
    BreakKind.LEDGER_EXTRA: "Posting without movement",
    BreakKind.DUPLICATE: "Moved twice",
    BreakKind.PAYOUT_MISMATCH: "Payout does not add up",
    BreakKind.FOREIGN: "Not made by Tollgate",
    BreakKind.CONVERTED: "Converted by Stripe",
    BreakKind.IN_TRANSIT: "Payout on its way",
}


def write_page(path: Path, window: tuple[dt.datetime, dt.datetime], result: Result) -> None:
    """Write the page."""
    path.write_text(page(window, result), encoding="utf-8")


def page(window: tuple[dt.datetime, dt.datetime], result: Result) -> str:
    """Return the page."""
    since, until = map(instant, window)
    body = [
        f"<h1>Reconciliation with Stripe</h1><p>{since} to {until} (UTC)</p>",
        _verdict(result),
        HOW_TO_READ,
        _totals(result),
        *(days(currency, _of(result, currency)) for currency in _currencies(result)),
        breaks_by_kind(Counter(TITLES[each.kind] for each in result.breaks)),
        _listed("Breaks", [each for each in result.breaks if not each.kind.is_notice]),
        _listed("Explained, nothing to do", [each for each in result.breaks if each.kind.is_notice]),
        f"<p>{result.movements} movements compared. Amounts are in the currency's main unit.</p>",
    ]
    title = f"Reconciliation {since} to {until}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _verdict(result: Result) -> str:
    if result.is_clean:
        return '<p class="good"><strong>Stripe and our books agree.</strong> Nothing is wrong, and nothing remains.</p>'
    remains = ", ".join(f"{in_units(amount, currency)} {currency}" for currency, amount in result.remainder.items())
    words = f"{len(result.wrong)} difference(s) need attention."
    return f'<p class="bad"><strong>{words}</strong> Unexplained remainder: {escape(remains) or "none"}.</p>'


def _currencies(result: Result) -> list[str]:
    return sorted({currency for _, currency in result.totals})


def _of(result: Result, currency: str) -> list[tuple[str, Total]]:
    return [(day, total) for (day, each), total in sorted(result.totals.items()) if each == currency]


def _totals(result: Result) -> str:
    rows = []
    for currency in _currencies(result):
        whole = Total()
        for day, total in _of(result, currency):
            rows.append(_total_row(day, currency, total))
            whole.add(total)
        rows.append(_total_row("all days", currency, whole, tag="th"))
    head = _row(["Day", "Currency"], ["Stripe", "Ledger", "Other days", "Breaks", "Remainder"], tag="th")
    return f"<h2>Totals</h2><table>{head}{''.join(rows)}</table>"


def _total_row(day: str, currency: str, total: Total, *, tag: str = "td") -> str:
    amounts = (total.stripe, total.ledger, total.timing, total.breaks, total.remainder)
    return _row([day, currency], [in_units(amount, currency) for amount in amounts], tag=tag)


def _row(words: Sequence[str], amounts: Sequence[str], *, tag: str = "td") -> str:
    cells = [f"<{tag}>{escape(word)}</{tag}>" for word in words]
    cells += [f'<{tag} class="amount">{escape(amount)}</{tag}>' for amount in amounts]
    return f"<tr>{''.join(cells)}</tr>"


def _listed(title: str, breaks: Sequence[Break]) -> str:
    if not breaks:
        return f"<h2>{title}</h2><p>None.</p>"
    parts = [f"<h2>{title}</h2>"]
    for kind in BreakKind:
        of_kind = [each for each in breaks if each.kind is kind]
        if of_kind:
            head = _row(["Day", "Object", "Ids", "Currency"], ["At Stripe", "Here", "Difference"], tag="th")
            rows = "".join(map(_break_row, of_kind))
            parts.append(f"<h3>{TITLES[kind]}</h3><p>{escape(SUGGESTIONS[kind])}</p><table>{head}{rows}</table>")
    return "".join(parts)


def _break_row(found: Break) -> str:
    ids = "<br>".join(
        escape(each) for each in (found.stripe_id, found.payment_id, found.invoice_id) if each is not None
    )
    words = (
        f"<td>{found.day}</td><td>{escape(found.noun)}</td><td class='id'>{ids}</td><td>{escape(found.currency)}</td>"
    )
    values = [_value(value, found.currency) for value in (found.at_stripe, found.here, found.effect)]
    amounts = "".join(f'<td class="amount">{escape(value)}</td>' for value in values)
    return f"<tr>{words}{amounts}</tr>"


def _value(value: int | str | None, currency: str) -> str:
    return in_units(value, currency) if isinstance(value, int) else value or "\N{EN DASH}"

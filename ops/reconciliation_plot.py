"""Plots of a reconciliation as inline SVG: Stripe beside the ledger by day, and breaks by kind."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from config.currencies import in_units
from workers.services.reconciliation.result import Total

WIDTH, HEIGHT = 900, 240
MARGIN: Final = 36  # for the days' names below and the amounts above
STRIPE, LEDGER, REMAINDER = "#635bff", "#2a9d8f", "#c1121f"
BAR_HEIGHT, LABEL_WIDTH = 22, 260


def days(currency: str, totals: Sequence[tuple[str, Total]]) -> str:
    """Return a figure of what Stripe and the ledger say of each day in a currency; what remains is marked."""
    values = [value for _, total in totals for value in (total.stripe, total.ledger + total.timing)]
    highest, lowest = max([0, *values]), min([0, *values])
    scale = (HEIGHT - 2 * MARGIN) / max(1, highest - lowest)
    zero = MARGIN + highest * scale
    step = WIDTH / max(1, len(totals))
    parts = [f'<line x1="0" x2="{WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}" stroke="#999"/>']
    for number, (day, total) in enumerate(totals):
        left = number * step
        width = min(step * 0.35, 60)
        for offset, colour, value in ((0.1, STRIPE, total.stripe), (0.5, LEDGER, total.ledger + total.timing)):
            parts.append(_bar(left + step * offset, zero, width, value * scale, colour, in_units(value, currency)))
        if total.remainder:
            middle = left + step / 2
            parts.append(f'<circle cx="{middle:.1f}" cy="14" r="6" fill="{REMAINDER}"/>')
        parts.append(f'<text x="{left + step * 0.1:.1f}" y="{HEIGHT - 8}" font-size="12">{escape(day[5:])}</text>')
    caption = (
        f"{currency}: what Stripe's balance moved by (violet) and what the ledger says (green), by day; "
        "a red dot marks a day of which something remains unexplained."
    )
    return _figure("".join(parts), HEIGHT, caption)


def breaks_by_kind(numbers: Mapping[str, int]) -> str:
    """Return a figure of how many breaks there are of each kind; nothing if there are none."""
    if not numbers:
        return ""
    most = max(numbers.values())
    parts = []
    for row, (title, number) in enumerate(sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))):
        top = row * (BAR_HEIGHT + 8) + 4
        width = (WIDTH - LABEL_WIDTH - 60) * number / most
        parts.append(f'<text x="0" y="{top + 16}" font-size="14">{escape(title)}</text>')
        parts.append(f'<rect x="{LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" fill="{STRIPE}"/>')
        parts.append(f'<text x="{LABEL_WIDTH + width + 8:.1f}" y="{top + 16}" font-size="14">{number}</text>')
    return _figure("".join(parts), len(numbers) * (BAR_HEIGHT + 8) + 8, "Breaks and notices by kind.")


def _bar(left: float, zero: float, width: float, height: float, colour: str, title: str) -> str:
    top = zero - max(height, 0)
    box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{abs(height):.1f}"'
    return f'<rect {box} fill="{colour}"><title>{escape(title)}</title></rect>'


def _figure(drawn: str, height: int, caption: str) -> str:
    label = escape(caption, quote=True)
    svg = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{drawn}</svg>'
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"

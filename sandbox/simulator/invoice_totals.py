"""What lines come to: taxes of a line, and the amounts of an invoice, all in minor units."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from sandbox.simulator.account import JsonObject

WHOLE: Final = 100  # per cent


def tax_of_rate(amount: int, rate: JsonObject) -> JsonObject:
    """Return the tax of a line by a rate, rounded half up; an inclusive one is a part of the line's amount."""
    share = Decimal(str(rate["percentage"])) / WHOLE
    exact = amount - amount / (1 + share) if rate["inclusive"] else amount * share
    tax = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    return tax_entry(rate, tax, amount - tax if rate["inclusive"] else amount, None)


def tax_entry(rate: JsonObject, amount: int, taxable: int, reason: str | None) -> JsonObject:
    """Return one entry of a line's taxes."""
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": reason or "not_available",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }


def totals(lines: Sequence[JsonObject], starting_balance: int) -> JsonObject:
    """Return the amounts of a draft: ``subtotal`` has inclusive taxes in it, ``total`` has all taxes in it."""
    taxes = [tax for line in lines for tax in line["taxes"]]
    exclusive = sum(each["amount"] for each in taxes if each["tax_behavior"] == "exclusive")
    inclusive = sum(each["amount"] for each in taxes if each["tax_behavior"] == "inclusive")
    subtotal = sum(line["amount"] for line in lines)
    total = subtotal + exclusive
    due = max(total + starting_balance, 0)
    return {
        "amount_due": due,
        "amount_remaining": due,
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inclusive,
        "total": total,
        "total_excluding_tax": subtotal - inclusive,
        "total_taxes": _summed(taxes),
    }


def _summed(taxes: Sequence[JsonObject]) -> list[JsonObject]:
    """Return one entry for each rate and reason, with their amounts added up."""
    summed: dict[tuple[str, str], JsonObject] = {}
    for tax in taxes:
        key = (tax["tax_rate_details"]["tax_rate"], tax["taxability_reason"])
        before = summed.get(key, {"amount": 0, "taxable_amount": 0})
        summed[key] = tax | {name: before[name] + tax[name] for name in ("amount", "taxable_amount")}
    return list(summed.values())

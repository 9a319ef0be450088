"""Which request does what: method and path to an operation and the parameters it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sandbox.simulator import (
    balance_transactions,
    charges,
    confirmation,
    customers,
    dispute_evidence,
    disputes,
    early_fraud_warnings,
    events,
    invoice_items,
    invoice_params,
    invoice_payments,
    invoice_states,
    invoices,
    payment_intent_params,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    tax_rates,
    webhook_endpoints,
)
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, ApiError
from sandbox.simulator.params import Param, Spec, identifier, listing
from sandbox.simulator.state import Change

Run = Callable[[Change, str, dict[str, Any]], JsonObject]

NAMESPACES: Final = {"radar"}  # what stands before a noun in a path

RETRIEVE: Final[Spec] = {"expand": Param(listing(identifier))}


@dataclass(frozen=True)
class Route:
    """An operation of the API. ``check`` refuses what Stripe refuses before it begins to execute."""

    run: Run
    spec: Spec
    check: Callable[[dict[str, Any]], None] | None = None
    for_shoppers: bool = False


def _whole(run: Callable[[Change, dict[str, Any]], JsonObject]) -> Run:
    return lambda change, _, values: run(change, values)


def _one(run: Callable[[Change, str], JsonObject]) -> Run:
    return lambda change, name, _: run(change, name)


ROUTES: Final[dict[tuple[str, str], Route]] = {
    ("POST", "customers"): Route(_whole(customers.create), customers.WRITE),
    ("GET", "customers"): Route(_whole(customers.index), customers.LIST),
    ("GET", "customers/:id"): Route(_one(customers.retrieve), RETRIEVE),
    ("POST", "customers/:id"): Route(customers.update, customers.WRITE),
    ("POST", "payment_intents"): Route(
        _whole(payment_intents.create), payment_intent_params.CREATE, payment_intent_params.check_create
    ),
    ("GET", "payment_intents"): Route(_whole(payment_intents.index), payment_intent_params.LIST),
    ("GET", "payment_intents/:id"): Route(
        _one(payment_intents.retrieve), payment_intent_params.RETRIEVE, for_shoppers=True
    ),
    ("POST", "payment_intents/:id"): Route(payment_intents.update, payment_intent_params.UPDATE),
    ("POST", "payment_intents/:id/confirm"): Route(payment_intents.confirm, confirmation.CONFIRM, for_shoppers=True),
    ("POST", "payment_intents/:id/capture"): Route(payment_intents.capture, payment_intent_params.CAPTURE),
    ("POST", "payment_intents/:id/cancel"): Route(payment_intents.cancel, payment_intent_params.CANCEL),
    ("GET", "customers/:id/payment_methods"): Route(payment_methods.of_customer, payment_methods.LIST),
    ("POST", "payment_methods"): Route(_whole(payment_methods.create), payment_methods.CREATE),
    ("GET", "payment_methods/:id"): Route(_one(payment_methods.retrieve), RETRIEVE),
    ("GET", "payment_methods"): Route(_whole(payment_methods.index), payment_methods.LIST),
    ("POST", "payment_methods/:id/attach"): Route(payment_methods.attach, payment_methods.ATTACH),
    ("POST", "payment_methods/:id/detach"): Route(payment_methods.detach, payment_methods.DETACH),
    ("GET", "charges"): Route(_whole(charges.index), charges.LIST),
    ("GET", "charges/:id"): Route(_one(charges.retrieve), RETRIEVE),
    ("POST", "refunds"): Route(_whole(refunds.create), refunds.CREATE, refunds.check_create),
    ("GET", "refunds"): Route(_whole(refunds.index), refunds.LIST),
    ("GET", "refunds/:id"): Route(_one(refunds.retrieve), RETRIEVE),
    ("GET", "disputes"): Route(_whole(disputes.index), disputes.LIST),
    ("GET", "disputes/:id"): Route(_one(disputes.retrieve), RETRIEVE),
    ("POST", "disputes/:id"): Route(disputes.update, dispute_evidence.UPDATE),
    ("POST", "disputes/:id/close"): Route(disputes.accept, disputes.CLOSE),
    ("GET", "radar/early_fraud_warnings"): Route(_whole(early_fraud_warnings.index), early_fraud_warnings.LIST),
    ("GET", "radar/early_fraud_warnings/:id"): Route(_one(early_fraud_warnings.retrieve), RETRIEVE),
    ("GET", "payouts"): Route(_whole(payouts.index), payouts.LIST),
    ("GET", "payouts/:id"): Route(_one(payouts.retrieve), RETRIEVE),
    ("GET", "balance_transactions"): Route(_whole(balance_transactions.index), balance_transactions.LIST),
    ("GET", "balance_transactions/:id"): Route(_one(balance_transactions.retrieve), RETRIEVE),
    ("POST", "invoices"): Route(_whole(invoices.create), invoice_params.CREATE, invoice_params.check_create),
    ("GET", "invoices"): Route(_whole(invoices.index), invoice_params.LIST),
    ("GET", "invoices/:id"): Route(_one(invoices.retrieve), RETRIEVE),
    ("POST", "invoices/:id"): Route(invoices.update, invoice_params.UPDATE, invoice_params.check_update),
    ("DELETE", "invoices/:id"): Route(_one(invoices.delete), {}),
    ("GET", "invoices/:id/lines"): Route(invoices.lines, invoice_params.LINES),
    ("POST", "invoices/:id/add_lines"): Route(invoices.add_lines, invoice_params.ADD_LINES, invoice_params.check_lines),
    ("POST", "invoices/:id/finalize"): Route(invoice_states.finalize, invoice_params.FINALIZE),
    ("POST", "invoices/:id/send"): Route(invoice_states.send, RETRIEVE),
    ("POST", "invoices/:id/pay"): Route(invoice_states.pay, invoice_params.PAY),
    ("POST", "invoices/:id/void"): Route(invoice_states.void, RETRIEVE),
    ("POST", "invoices/:id/mark_uncollectible"): Route(invoice_states.mark_uncollectible, RETRIEVE),
    ("POST", "invoices/:id/attach_payment"): Route(invoice_states.attach_payment, invoice_params.ATTACH),
    ("GET", "invoice_payments"): Route(_whole(invoice_payments.index), invoice_params.LIST_PAYMENTS),
    ("GET", "invoice_payments/:id"): Route(_one(invoice_payments.retrieve), RETRIEVE),
    ("POST", "invoiceitems"): Route(_whole(invoices.add_item), invoice_items.CREATE, invoice_items.check_create),
    ("GET", "invoiceitems"): Route(_whole(invoice_items.index), invoice_items.LIST),
    ("GET", "invoiceitems/:id"): Route(_one(invoice_items.retrieve), RETRIEVE),
    ("DELETE", "invoiceitems/:id"): Route(_one(invoice_items.delete), {}),
    ("POST", "tax_rates"): Route(_whole(tax_rates.create), tax_rates.CREATE),
    ("GET", "tax_rates"): Route(_whole(tax_rates.index), tax_rates.LIST),
    ("GET", "tax_rates/:id"): Route(_one(tax_rates.retrieve), RETRIEVE),
    ("POST", "tax_rates/:id"): Route(tax_rates.update, tax_rates.UPDATE),
    ("GET", "events"): Route(_whole(events.index), events.LIST),
    ("GET", "events/:id"): Route(_one(events.retrieve), RETRIEVE),
    ("POST", "webhook_endpoints"): Route(_whole(webhook_endpoints.create), webhook_endpoints.CREATE),
    ("GET", "webhook_endpoints"): Route(_whole(webhook_endpoints.index), webhook_endpoints.LIST),
    ("GET", "webhook_endpoints/:id"): Route(_one(webhook_endpoints.retrieve), RETRIEVE),
    ("POST", "webhook_endpoints/:id"): Route(webhook_endpoints.update, webhook_endpoints.UPDATE),
    ("DELETE", "webhook_endpoints/:id"): Route(_one(webhook_endpoints.delete), {}),
}


def match(method: str, path: str) -> tuple[Route, str]:
    """Return the operation of a request and the id in its path, empty where there is none.

    Raises:
        ApiError: 404, Stripe, or this simulator, has no such operation.
    """
    noun, *parts = path.removeprefix("/v1/").strip("/").split("/")
    if noun in NAMESPACES and parts:
        noun, *parts = f"{noun}/{parts[0]}", *parts[1:]
    name = parts[0] if parts else ""
    shape = "/".join([noun, *([":id"] if name else []), *parts[1:]])
    route = ROUTES.get((method, shape)) if path.startswith("/v1/") else None
    if route is None:
        raise ApiError(
            NOT_FOUND,
            f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
            "https://support.stripe.com/.",
        )
    return route, name

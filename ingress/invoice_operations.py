"""The operations on invoices and batches, as OpenAPI describes them (see `ingress.operations`)."""

from ingress import invoice_answers
from ingress.invoice_batches import BatchRequestSchema
from ingress.invoice_schema import InvoiceSchema
from ingress.invoices import InvoiceOperationSchema
from ingress.operation_parts import (
    common_parameters,
    id_parameter,
    json_body,
    prefer_parameter,
    problem_answers,
    tag_parameter,
)
from ingress.operation_shapes import (
    KEYED,
    MISSED,
    SECURED,
    Operation,
    command,
    listed,
    of_somebody,
    viewed,
)

# Each with what it does, and how its job may be refused.
INVOICE_OPERATIONS = {
    "finalize": ("Make a draft binding", "`invoice_not_ready` or `invoice_void`"),
    "send": (
        "Have Stripe mail an invoice that is owed; a draft is finalized first",
        "`invoice_not_ready`, `invoice_paid`, `invoice_void` or `invoice_uncollectible`",
    ),
    "void": ("Take an invoice back", "`invoice_is_draft` or `invoice_paid`"),
    "mark_uncollectible": ("Give an invoice up", "`invoice_is_draft`, `invoice_paid` or `invoice_void`"),
    "pay_out_of_band": (
        "Take an invoice for paid whose money came past Stripe",
        "`invoice_is_draft`, `invoice_paid` or `invoice_void`",
    ),
}


def invoice_operations() -> dict[str, dict[str, Operation]]:
    """Return each path's operations by method."""
    return {
        "/v1/invoices": {"get": _list_invoices(), "post": _create_invoice()},
        "/v1/invoices/batch": {"post": _create_invoice_batch()},
        "/v1/batches/{batch_id}": {"get": _show_batch()},
        "/v1/invoices/{invoice_id}": {"get": _show_invoice()},
        **{f"/v1/invoices/{{invoice_id}}/{verb}": {"post": _change_invoice(verb)} for verb in INVOICE_OPERATIONS},
    }


def _create_invoice() -> Operation:
    return {
        "operationId": "createInvoice",
        "summary": "Ask for an invoice",
        "description": "It is made at Stripe, finalized and mailed, unless it is to stay a draft or is paid already by "
        "a payment on the site. The job is refused with `due_date_past`, `payment_unknown`, `payment_not_paid`, "
        "`payment_differs`, `customer_differs`, `payment_already_invoiced`, `invoice_astray` or `stripe_refused`.",
        **command(InvoiceSchema, invoice_answers.AcceptedInvoiceSchema),
    }


def _change_invoice(verb: str) -> Operation:
    summary, refusals = INVOICE_OPERATIONS[verb]
    operation = command(InvoiceOperationSchema, invoice_answers.ChangedInvoiceSchema)
    operation["parameters"] = [id_parameter("invoice_id", "inv"), *operation["parameters"]]
    operation["responses"] |= problem_answers("not_found")
    first, *rest = verb.split("_")
    return {
        "operationId": "".join([first, *(word.capitalize() for word in rest), "Invoice"]),
        "summary": summary,
        "description": f"The job is refused with {refusals}, or with `invoice_unknown`, `invoice_not_made` or "
        "`stripe_refused`. An Idempotency-Key holds for this operation on one invoice. Operations on one invoice are "
        "done in the order of their acceptance, and wait while it is still being made.",
        **operation,
    }


def _create_invoice_batch() -> Operation:
    return {
        "operationId": "createInvoiceBatch",
        "summary": "Ask for up to 500 invoices at once",
        "description": "The body may have 1 MiB. Each line is accepted or refused by itself: the answer tells which; "
        "only a batch without any acceptable line is refused as a whole. Counts once against the rate limit.",
        **command(BatchRequestSchema, invoice_answers.AcceptedBatchSchema),
    }


def _show_batch() -> Operation:
    return {
        "operationId": "showBatch",
        "summary": "Follow a batch",
        "security": SECURED,
        "parameters": [id_parameter("batch_id", "bat"), prefer_parameter(), *common_parameters()],
        "responses": {
            "200": json_body("The batch, and where each of its invoices stands", invoice_answers.BatchSchema),
            **problem_answers(*KEYED, *MISSED),
        },
    }


def _show_invoice() -> Operation:
    return {
        "operationId": "showInvoice",
        "summary": "Read an invoice",
        "security": SECURED,
        "parameters": [id_parameter("invoice_id", "inv"), tag_parameter(), *common_parameters()],
        "responses": viewed("The invoice", invoice_answers.InvoiceShownSchema, {}),
    }


def _list_invoices() -> Operation:
    return {
        "operationId": "listInvoices",
        "summary": "List the invoices of a booking or of a customer",
        **of_somebody(),
        "responses": listed("Invoices, the newest in front", invoice_answers.InvoiceListSchema),
    }

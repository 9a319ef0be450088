"""What answers hold: the schemas behind the OpenAPI document. A test holds the answers to them."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields, validate

from config.currencies import CODES
from config.vat import TAXES
from ingress.payment_intents import CAPTURE_METHODS
from ingress.seat_hold import LATE

JOB_STATES = ("accepted", "ready", "running", "waiting", "checking", "done", "refused", "dead", "cancelled")
PAYMENT_STATUSES = (
    "processing",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "paid",
    "partially_refunded",
    "refunded",
    "disputed",
    "declined",
    "in_review",
    "checking",
    "canceled",
    "failed",
)
REFUND_STATUSES = (
    "processing",
    "checking",
    "pending",
    "requires_action",
    "succeeded",
    "failed",
    "canceled",
    "refused",
)
INVOICE_STATUSES = (
    "processing",
    "checking",
    "draft",
    "open",
    "sent",
    "overdue",
    "uncollectible",
    "paid",
    "void",
    "refused",
)
FLAGS = (
    "late_payment",
    "duplicate_payment",
    "refunds_above_capture",
    "ledger_unbalanced",
    "ledger_incomplete",
    "status_astray",
    "history_incomplete",
    "stuck",
    "refund_failed",
    "invoice_astray",
    "invoice_number_gap",
)


def _text(description: str, example: str | None = None, **options: Any) -> fields.String:
    shown = {"description": description} | ({} if example is None else {"example": example})
    return fields.String(required=True, metadata=shown, **options)


def _minor_units(description: str) -> fields.Integer:
    return fields.Integer(required=True, strict=True, metadata={"description": f"{description}, in minor units"})


def _time(description: str) -> fields.String:
    return fields.String(
        required=True, metadata={"description": f"{description} (RFC 3339, UTC)", "format": "date-time"}
    )


def _condition(description: str) -> fields.String:
    return _text(f"{description}: `up`, `away` or `unknown`", validate=validate.OneOf(("up", "away", "unknown")))


class Answer(Schema):
    """What is answered; may gain fields, so a client must not refuse those it does not know."""

    class Meta:
        """Says so in the document."""

        unknown = INCLUDE


class JobProblemSchema(Answer):
    """Why a job was refused, or is dead."""

    code = _text("For programs")
    detail = _text("For people")


class JobLinksSchema(Answer):
    """Where to read on."""

    self = _text("The job")
    payment = _text("The payment, if the job is about one", allow_none=True)
    refund = _text("The refund, if the job is about one", allow_none=True)
    invoice = _text("The invoice, if the job is about one", allow_none=True)


class JobSchema(Answer):
    """What became of a request."""

    id = _text("The job's id", "job_4zne5f3cpxuzwxuf4gwcolx6q2")
    object = _text("Always `job`", validate=validate.Equal("job"))
    kind = _text("What it does", "payments.create")
    status = _text(
        "`done`, `refused`, `dead` and `cancelled` are final; `checking`: the outcome is being found out, mostly "
        "within seconds, and a wait goes on. `refused` and `dead` come with a problem.",
        validate=validate.OneOf(JOB_STATES),
    )
    payment = _text("The id of the payment it is about", allow_none=True)
    refund = _text("The id of the refund it is about", allow_none=True)
    invoice = _text("The id of the invoice it is about", allow_none=True)
    problem = fields.Nested(JobProblemSchema, required=True, allow_none=True)
    attempts = fields.Integer(required=True, strict=True, metadata={"description": "How often it was tried"})
    created_at = _time("When it was accepted")
    updated_at = _time("When it last changed")
    links = fields.Nested(JobLinksSchema, required=True)


class DeclineSchema(Answer):
    """Why the card was declined."""

    code = _text("Stripe's decline code, coarsened where more would help a thief", "insufficient_funds")
    message = _text("Words fit for the customer")


class SeatHoldShownSchema(Answer):
    """The seats that were kept for the payment, as it was asked."""

    token = _text("As it was sent")
    expires_at = _time("Until when they were kept")
    late = _text("What was to be done with money that came later", validate=validate.OneOf(LATE))


class PaymentLinksSchema(Answer):
    """Where to read on."""

    self = _text("The payment")
    job = _text("The job that makes it")


class PaymentSchema(Answer):
    """A payment as it stands."""

    id = _text("The payment's id", "pay_psllb4cciywirkrfno2cht5xz7")
    object = _text("Always `payment`", validate=validate.Equal("payment"))
    status = _text("Where it stands; `failed` only if no money moved", validate=validate.OneOf(PAYMENT_STATUSES))
    amount = _minor_units("What was asked for")
    amount_capturable = _minor_units("What the card's bank holds for a capture")
    amount_received = _minor_units("What was paid")
    amount_refunded = _minor_units("What was paid back")
    currency = _text("ISO 4217 in lower case", validate=validate.OneOf(CODES))
    capture = _text("As it was asked for", validate=validate.OneOf(CAPTURE_METHODS))
    capture_before = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Until when the bank holds the amount, if it said so (RFC 3339, UTC); null unless the "
            "payment is `requires_capture`",
            "format": "date-time",
        },
    )
    booking_reference = _text("As it was sent")
    client_secret = _text("For Stripe.js, once Stripe knows the payment; never log it", allow_none=True)
    stripe_payment_intent = _text("Stripe's id", allow_none=True)
    decline = fields.Nested(DeclineSchema, required=True, allow_none=True)
    seat_hold = fields.Nested(SeatHoldShownSchema, required=True, allow_none=True)
    flags = fields.List(
        fields.String(validate=validate.OneOf(FLAGS)),
        required=True,
        metadata={"description": "What your staff should look at; Tollgate may come to know further ones"},
    )
    invoice = _text("The invoice whose page it was paid on; null for what you asked for", allow_none=True)
    created_at = _time("When it was accepted")
    updated_at = _time("When it last changed")
    links = fields.Nested(PaymentLinksSchema, required=True)


class AcceptedPaymentSchema(Answer):
    """A job and its payment."""

    job = fields.Nested(JobSchema, required=True)
    payment = fields.Nested(PaymentSchema, required=True)


class ChangedPaymentSchema(Answer):
    """A job and the payment that it changes."""

    job = fields.Nested(JobSchema, required=True)
    payment = fields.Nested(
        PaymentSchema,
        required=True,
        allow_none=True,
        metadata={"description": "As it stands; null while it is not shown, or if it is not yours"},
    )


class RefundLinksSchema(Answer):
    """Where to read on."""

    self = _text("The refund")
    payment = _text("The payment")
    job = _text("The job that makes it; none if it was made in Stripe's dashboard", allow_none=True)


class RefundSchema(Answer):
    """A refund as it stands."""

    id = _text("The refund's id", "ref_psllb4cciywirkrfno2cht5xz7")
    object = _text("Always `refund`", validate=validate.Equal("refund"))
    payment = _text("The payment that is given back, as it was asked for", "pay_psllb4cciywirkrfno2cht5xz7")
    status = _text(
        "Where it stands. `refused`: nothing was given back, and the job tells why. `failed`: the customer's bank sent "
        "it back, perhaps long after it had `succeeded`; the customer is owed the money again.",
        validate=validate.OneOf(REFUND_STATUSES),
    )
    amount = fields.Integer(
        required=True,
        strict=True,
        allow_none=True,
        metadata={"description": "In minor units; null while it is not known how much is left to be given back"},
    )
    currency = _text(
        "ISO 4217 in lower case; null until the payment was looked at",
        validate=validate.OneOf(CODES),
        allow_none=True,
    )
    reason = _text("As it was sent, or chosen in Stripe's dashboard", allow_none=True)
    failure_reason = _text("Stripe's word for why it failed", "lost_or_stolen_card", allow_none=True)
    stripe_refund = _text("Stripe's id", allow_none=True)
    created_at = _time("When it was accepted")
    updated_at = _time("When it last changed")
    links = fields.Nested(RefundLinksSchema, required=True)


class AcceptedRefundSchema(Answer):
    """A job and its refund."""

    job = fields.Nested(JobSchema, required=True)
    refund = fields.Nested(RefundSchema, required=True)


class InvoiceLineShownSchema(Answer):
    """One line of an invoice, and what it comes to."""

    description = _text("As it was sent")
    quantity = fields.Integer(required=True, strict=True)
    unit_amount = _minor_units("The price of one")
    tax = _text("As it was sent", validate=validate.OneOf(TAXES))
    net = _minor_units("What the line comes to without tax")
    tax_amount = _minor_units("Its tax")


class InvoiceLinksSchema(Answer):
    """Where to read on."""

    self = _text("The invoice")
    payment = _text("The payment that has paid it, if there is one", allow_none=True)
    job = _text("The job that makes it")


def _moment_or_null(description: str) -> fields.String:
    shown = {"description": f"{description} (RFC 3339, UTC)", "format": "date-time"}
    return fields.String(required=True, allow_none=True, metadata=shown)


class InvoiceShownSchema(Answer):
    """An invoice as it stands."""

    id = _text("The invoice's id", "inv_psllb4cciywirkrfno2cht5xz7")
    object = _text("Always `invoice`", validate=validate.Equal("invoice"))
    status = _text(
        "Where it stands. `open`: it has its number, and can be paid; `sent`: Stripe has mailed it as well; `overdue`: "
        "its due date has passed. `refused`: nothing was made, and the job tells why.",
        validate=validate.OneOf(INVOICE_STATUSES),
    )
    number = _text("Stripe's, once it is finalized", "ABCDEFGH-0001", allow_none=True)
    currency = _text("ISO 4217 in lower case", validate=validate.OneOf(CODES))
    subtotal = _minor_units("All lines without tax")
    tax_amount = _minor_units("The tax of all lines")
    total = _minor_units("What is to be paid")
    amount_paid = _minor_units("What was paid, wherever")
    tax_inclusive = fields.Boolean(required=True, metadata={"description": "Whether the unit amounts hold their tax"})
    lines = fields.List(fields.Nested(InvoiceLineShownSchema), required=True)
    purchase_order = _text("As it was sent", allow_none=True)
    booking_reference = _text("As it was sent", allow_none=True)
    payment = _text("The payment that has paid it, or by which it is issued as paid", allow_none=True)
    paid_out_of_band = fields.Boolean(
        required=True, metadata={"description": "Whether it was paid past Stripe, by bank transfer for instance"}
    )
    due_at = _moment_or_null("On the day of which it is due, once Stripe knows it")
    sent_at = _moment_or_null("When Stripe last mailed it")
    paid_at = _moment_or_null("When it was paid")
    hosted_invoice_url = _text("Stripe's page to see and pay it; whoever has it sees the invoice", allow_none=True)
    invoice_pdf = _text("Its PDF; whoever has it sees the invoice", allow_none=True)
    stripe_invoice = _text("Stripe's id", allow_none=True)
    created_at = _time("When it was accepted")
    updated_at = _time("When it last changed")
    links = fields.Nested(InvoiceLinksSchema, required=True)


class AcceptedInvoiceSchema(Answer):
    """A job and its invoice."""

    job = fields.Nested(JobSchema, required=True)
    invoice = fields.Nested(InvoiceShownSchema, required=True)


class ChangedInvoiceSchema(Answer):
    """A job and the invoice that it changes."""

    job = fields.Nested(JobSchema, required=True)
    invoice = fields.Nested(
        InvoiceShownSchema,
        required=True,
        allow_none=True,
        metadata={"description": "As it stands; null while it is not shown, or if it is not yours"},
    )


class LineProblemSchema(JobProblemSchema):
    """Why a line of a batch was refused."""

    errors = fields.List(
        fields.Nested("FieldErrorSchema"),
        required=True,
        metadata={"description": "The first of what is wrong, by its place in the whole body"},
    )


class BatchLineLinksSchema(Answer):
    """Where to read on."""

    invoice = _text("The invoice", allow_none=True)
    job = _text("The job that makes it, once it has one", allow_none=True)


class BatchLineSchema(Answer):
    """What became of one line of a batch."""

    line = fields.Integer(required=True, strict=True, metadata={"description": "Its place, from 0"})
    status = _text(
        "`refused` with a problem; `accepted` until its invoice has begun, then as the invoice",
        validate=validate.OneOf(("accepted", *INVOICE_STATUSES)),
    )
    invoice = _text("The invoice's id; null if the line was refused", allow_none=True)
    problem = fields.Nested(LineProblemSchema, required=True, allow_none=True)
    links = fields.Nested(BatchLineLinksSchema, required=True)


class BatchLinksSchema(Answer):
    """Where to read on."""

    self = _text("The batch")
    job = _text("The job that gives each invoice a job of its own")


class BatchSchema(Answer):
    """A batch of invoices, and how far it is."""

    id = _text("The batch's id", "bat_psllb4cciywirkrfno2cht5xz7")
    object = _text("Always `batch`", validate=validate.Equal("batch"))
    invoices = fields.Integer(required=True, strict=True, metadata={"description": "How many lines were posted"})
    accepted = fields.Integer(required=True, strict=True, metadata={"description": "How many of them are kept"})
    refused = fields.Integer(required=True, strict=True, metadata={"description": "How many are not acceptable"})
    finished = fields.Boolean(required=True, metadata={"description": "Whether no line is on its way any more"})
    statuses = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(strict=True),
        required=True,
        metadata={"description": "How many lines are at which status"},
    )
    lines = fields.List(fields.Nested(BatchLineSchema), required=True)
    created_at = _time("When it was accepted")
    updated_at = _time("When it last changed; how far its invoices are, does not change it")
    links = fields.Nested(BatchLinksSchema, required=True)


class AcceptedBatchSchema(Answer):
    """A job and its batch."""

    job = fields.Nested(JobSchema, required=True)
    batch = fields.Nested(BatchSchema, required=True)


class ListSchema(Answer):
    """What every list holds beside its things, the newest of which are in front."""

    object = _text("Always `list`", validate=validate.Equal("list"))
    has_more = fields.Boolean(required=True, metadata={"description": "Whether there are older ones"})
    next_cursor = _text("Ask for them with this as `cursor`; for you and this list only", allow_none=True)


class PaymentListSchema(ListSchema):
    """Payments."""

    data = fields.List(fields.Nested(PaymentSchema), required=True)


class RefundListSchema(ListSchema):
    """Refunds."""

    data = fields.List(fields.Nested(RefundSchema), required=True)


class InvoiceListSchema(ListSchema):
    """Invoices."""

    data = fields.List(fields.Nested(InvoiceShownSchema), required=True)


class FieldErrorSchema(Answer):
    """What is wrong with one field."""

    field = _text(
        "A JSON pointer (RFC 6901) into the body, empty for the body itself; or the name of a query's parameter",
        "/customer/email",
    )
    code = _text("For programs", "not_an_email")
    message = _text("For people; never repeats the value")


class ProblemSchema(Answer):
    """An RFC 9457 problem."""

    type = _text("Leads to a page about it", "/problems/validation_failed")
    title = _text("What this kind of problem is")
    status = fields.Integer(required=True, strict=True)
    detail = _text("What it is this time")
    instance = _text("This very answer")
    code = _text("For programs; never changes its meaning", "validation_failed")
    request_id = _text("Tell it when you ask for help")
    errors = fields.List(fields.Nested(FieldErrorSchema), metadata={"description": "Each field that is wrong"})


class ReceivedSchema(Answer):
    """A webhook is kept."""

    received = fields.Boolean(required=True)


class LiveSchema(Answer):
    """The process is there."""

    status = _text("Always `live`")


class ReadySchema(Answer):
    """Requests can be accepted."""

    status = _text(
        "`ready`, or `degraded` if what is accepted now will be worked on only when a part that is away is back",
        validate=validate.OneOf(("ready", "degraded")),
    )
    redis = _condition("Redis, which keeps what is accepted")
    dispatcher = _condition("The dispatcher, which takes in what was accepted")
    database = _condition("PostgreSQL, as the dispatcher finds it")
    stripe = _condition("Stripe, as the workers find it: `away` while their circuit breaker is open")
    redis_milliseconds = fields.Float(required=True)
    dispatcher_pulse_age_seconds = fields.Float(required=True, allow_none=True)


class IndexSchema(Answer):
    """What this is."""

    name = _text("Always `Tollgate`")
    version = _text("The software's version")
    openapi = _text("Where this document is")

"""What answers hold: the schemas behind the OpenAPI document. A test holds the answers to them."""

from marshmallow import fields, validate

from config.currencies import CODES
from ingress.answer_fields import Answer, condition, minor_units, moment, text
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
DISPUTE_STATUSES = (
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
    "prevented",
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
    "fraud_warning",
    "dispute_due",
    "refund_failed",
    "invoice_astray",
    "invoice_number_gap",
)


class JobProblemSchema(Answer):
    """Why a job was refused, or is dead."""

    code = text("For programs")
    detail = text("For people")


class JobLinksSchema(Answer):
    """Where to read on."""

    self = text("The job")
    payment = text("The payment, if the job is about one", allow_none=True)
    refund = text("The refund, if the job is about one", allow_none=True)
    invoice = text("The invoice, if the job is about one", allow_none=True)


class JobSchema(Answer):
    """What became of a request."""

    id = text("The job's id", "job_4zne5f3cpxuzwxuf4gwcolx6q2")
    object = text("Always `job`", validate=validate.Equal("job"))
    kind = text("What it does", "payments.create")
    status = text(
        "`done`, `refused`, `dead` and `cancelled` are final; `checking`: the outcome is being found out, mostly "
        "within seconds, and a wait goes on. `refused` and `dead` come with a problem.",
        validate=validate.OneOf(JOB_STATES),
    )
    payment = text("The id of the payment it is about", allow_none=True)
    refund = text("The id of the refund it is about", allow_none=True)
    invoice = text("The id of the invoice it is about", allow_none=True)
    problem = fields.Nested(JobProblemSchema, required=True, allow_none=True)
    attempts = fields.Integer(required=True, strict=True, metadata={"description": "How often it was tried"})
    created_at = moment("When it was accepted")
    updated_at = moment("When it last changed")
    links = fields.Nested(JobLinksSchema, required=True)


class DeclineSchema(Answer):
    """Why the card was declined."""

    code = text("Stripe's decline code, coarsened where more would help a thief", "insufficient_funds")
    message = text("Words fit for the customer")


class SeatHoldShownSchema(Answer):
    """The seats that were kept for the payment, as it was asked."""

    token = text("As it was sent")
    expires_at = moment("Until when they were kept")
    late = text("What was to be done with money that came later", validate=validate.OneOf(LATE))


class DisputeSchema(Answer):
    """A dispute of the payment, as it stands."""

    id = text("Ours", "dsp_psllb4cciywirkrfno2cht5xz7")
    status = text(
        "Stripe's: of an inquiry, which moves no money, `warning_needs_response`, `warning_under_review` or "
        "`warning_closed`; of a chargeback `needs_response`, `under_review`, `won` or `lost`; `prevented`",
        validate=validate.OneOf(DISPUTE_STATUSES),
    )
    reason = text("The bank's, in Stripe's words", "fraudulent")
    amount = minor_units("What is disputed")
    currency = text("ISO 4217 in lower case")
    due_by = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Until when the bank takes an answer (RFC 3339, UTC)", "format": "date-time"},
    )
    answered = fields.Boolean(required=True, metadata={"description": "Whether evidence was sent to the bank"})


class PaymentLinksSchema(Answer):
    """Where to read on."""

    self = text("The payment")
    job = text("The job that makes it")


class PaymentSchema(Answer):
    """A payment as it stands."""

    id = text("The payment's id", "pay_psllb4cciywirkrfno2cht5xz7")
    object = text("Always `payment`", validate=validate.Equal("payment"))
    status = text("Where it stands; `failed` only if no money moved", validate=validate.OneOf(PAYMENT_STATUSES))
    amount = minor_units("What was asked for")
    amount_capturable = minor_units("What the card's bank holds for a capture")
    amount_received = minor_units("What was paid")
    amount_refunded = minor_units("What was paid back")
    currency = text("ISO 4217 in lower case", validate=validate.OneOf(CODES))
    capture = text("As it was asked for", validate=validate.OneOf(CAPTURE_METHODS))
    capture_before = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Until when the bank holds the amount, if it said so (RFC 3339, UTC); null unless the "
            "payment is `requires_capture`",
            "format": "date-time",
        },
    )
    booking_reference = text("As it was sent")
    client_secret = text("For Stripe.js, once Stripe knows the payment; never log it", allow_none=True)
    stripe_payment_intent = text("Stripe's id", allow_none=True)
    decline = fields.Nested(DeclineSchema, required=True, allow_none=True)
    seat_hold = fields.Nested(SeatHoldShownSchema, required=True, allow_none=True)
    flags = fields.List(
        fields.String(validate=validate.OneOf(FLAGS)),
        required=True,
        metadata={"description": "What your staff should look at; Tollgate may come to know further ones"},
    )
    invoice = text("The invoice whose page it was paid on; null for what you asked for", allow_none=True)
    dispute = fields.Nested(
        DisputeSchema, required=True, allow_none=True, metadata={"description": "The newest; null if there is none"}
    )
    created_at = moment("When it was accepted")
    updated_at = moment("When it last changed")
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

    self = text("The refund")
    payment = text("The payment")
    job = text("The job that makes it; none if it was made in Stripe's dashboard", allow_none=True)


class RefundSchema(Answer):
    """A refund as it stands."""

    id = text("The refund's id", "ref_psllb4cciywirkrfno2cht5xz7")
    object = text("Always `refund`", validate=validate.Equal("refund"))
    payment = text("The payment that is given back, as it was asked for", "pay_psllb4cciywirkrfno2cht5xz7")
    status = text(
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
    currency = text(
        "ISO 4217 in lower case; null until the payment was looked at",
        validate=validate.OneOf(CODES),
        allow_none=True,
    )
    reason = text("As it was sent, or chosen in Stripe's dashboard", allow_none=True)
    failure_reason = text("Stripe's word for why it failed", "lost_or_stolen_card", allow_none=True)
    stripe_refund = text("Stripe's id", allow_none=True)
    created_at = moment("When it was accepted")
    updated_at = moment("When it last changed")
    links = fields.Nested(RefundLinksSchema, required=True)


class AcceptedRefundSchema(Answer):
    """A job and its refund."""

    job = fields.Nested(JobSchema, required=True)
    refund = fields.Nested(RefundSchema, required=True)


class ListSchema(Answer):
    """What every list holds beside its things, the newest of which are in front."""

    object = text("Always `list`", validate=validate.Equal("list"))
    has_more = fields.Boolean(required=True, metadata={"description": "Whether there are older ones"})
    next_cursor = text("Ask for them with this as `cursor`; for you and this list only", allow_none=True)


class PaymentListSchema(ListSchema):
    """Payments."""

    data = fields.List(fields.Nested(PaymentSchema), required=True)


class RefundListSchema(ListSchema):
    """Refunds."""

    data = fields.List(fields.Nested(RefundSchema), required=True)


class FieldErrorSchema(Answer):
    """What is wrong with one field."""

    field = text(
        "A JSON pointer (RFC 6901) into the body, empty for the body itself; or the name of a query's parameter",
        "/customer/email",
    )
    code = text("For programs", "not_an_email")
    message = text("For people; never repeats the value")


class ProblemSchema(Answer):
    """An RFC 9457 problem."""

    type = text("Leads to a page about it", "/problems/validation_failed")
    title = text("What this kind of problem is")
    status = fields.Integer(required=True, strict=True)
    detail = text("What it is this time")
    instance = text("This very answer")
    code = text("For programs; never changes its meaning", "validation_failed")
    request_id = text("Tell it when you ask for help")
    errors = fields.List(fields.Nested(FieldErrorSchema), metadata={"description": "Each field that is wrong"})


class ReceivedSchema(Answer):
    """A webhook is kept."""

    received = fields.Boolean(required=True)


class LiveSchema(Answer):
    """The process is there."""

    status = text("Always `live`")


class ReadySchema(Answer):
    """Requests can be accepted."""

    status = text(
        "`ready`, or `degraded` if what is accepted now will be worked on only when a part that is away is back",
        validate=validate.OneOf(("ready", "degraded")),
    )
    redis = condition("Redis, which keeps what is accepted")
    dispatcher = condition("The dispatcher, which takes in what was accepted")
    database = condition("PostgreSQL, as the dispatcher finds it")
    stripe = condition("Stripe, as the workers find it: `away` while their circuit breaker is open")
    redis_milliseconds = fields.Float(required=True)
    dispatcher_pulse_age_seconds = fields.Float(required=True, allow_none=True)


class IndexSchema(Answer):
    """What this is."""

    name = text("Always `Tollgate`")
    version = text("The software's version")
    openapi = text("Where this document is")

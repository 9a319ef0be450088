"""What answers hold of invoices and batches: the schemas behind the OpenAPI document, as in `ingress.schemas`."""

from marshmallow import fields, validate

from config.currencies import CODES
from config.vat import TAXES
from ingress.answer_fields import Answer, minor_units, moment, moment_or_null, text
from ingress.schemas import FieldErrorSchema, JobProblemSchema, JobSchema, ListSchema

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


class InvoiceLineShownSchema(Answer):
    """One line of an invoice, and what it comes to."""

    description = text("As it was sent")
    quantity = fields.Integer(required=True, strict=True)
    unit_amount = minor_units("The price of one")
    tax = text("As it was sent", validate=validate.OneOf(TAXES))
    net = minor_units("What the line comes to without tax")
    tax_amount = minor_units("Its tax")


class InvoiceLinksSchema(Answer):
    """Where to read on."""

    self = text("The invoice")
    payment = text("The payment that has paid it, if there is one", allow_none=True)
    job = text("The job that makes it")


class InvoiceShownSchema(Answer):
    """An invoice as it stands."""

    id = text("The invoice's id", "inv_psllb4cciywirkrfno2cht5xz7")
    object = text("Always `invoice`", validate=validate.Equal("invoice"))
    status = text(
        "Where it stands. `open`: it has its number, and can be paid; `sent`: Stripe has mailed it as well; `overdue`: "
        "its due date has passed. `refused`: nothing was made, and the job tells why.",
        validate=validate.OneOf(INVOICE_STATUSES),
    )
    number = text("Stripe's, once it is finalized", "ABCDEFGH-0001", allow_none=True)
    currency = text("ISO 4217 in lower case", validate=validate.OneOf(CODES))
    subtotal = minor_units("All lines without tax")
    tax_amount = minor_units("The tax of all lines")
    total = minor_units("What is to be paid")
    amount_paid = minor_units("What was paid, wherever")
    tax_inclusive = fields.Boolean(required=True, metadata={"description": "Whether the unit amounts hold their tax"})
    lines = fields.List(fields.Nested(InvoiceLineShownSchema), required=True)
    purchase_order = text("As it was sent", allow_none=True)
    booking_reference = text("As it was sent", allow_none=True)
    payment = text("The payment that has paid it, or by which it is issued as paid", allow_none=True)
    paid_out_of_band = fields.Boolean(
        required=True, metadata={"description": "Whether it was paid past Stripe, by bank transfer for instance"}
    )
    due_at = moment_or_null("On the day of which it is due, once Stripe knows it")
    sent_at = moment_or_null("When Stripe last mailed it")
    paid_at = moment_or_null("When it was paid")
    hosted_invoice_url = text("Stripe's page to see and pay it; whoever has it sees the invoice", allow_none=True)
    invoice_pdf = text("Its PDF; whoever has it sees the invoice", allow_none=True)
    stripe_invoice = text("Stripe's id", allow_none=True)
    created_at = moment("When it was accepted")
    updated_at = moment("When it last changed")
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
        fields.Nested(FieldErrorSchema),
        required=True,
        metadata={"description": "The first of what is wrong, by its place in the whole body"},
    )


class BatchLineLinksSchema(Answer):
    """Where to read on."""

    invoice = text("The invoice", allow_none=True)
    job = text("The job that makes it, once it has one", allow_none=True)


class BatchLineSchema(Answer):
    """What became of one line of a batch."""

    line = fields.Integer(required=True, strict=True, metadata={"description": "Its place, from 0"})
    status = text(
        "`refused` with a problem; `accepted` until its invoice can be read by itself, then as the invoice",
        validate=validate.OneOf(("accepted", *INVOICE_STATUSES)),
    )
    invoice = text("The invoice's id; null if the line was refused", allow_none=True)
    problem = fields.Nested(LineProblemSchema, required=True, allow_none=True)
    links = fields.Nested(BatchLineLinksSchema, required=True)


class BatchLinksSchema(Answer):
    """Where to read on."""

    self = text("The batch")
    job = text("The job that gives each invoice a job of its own")


class BatchSchema(Answer):
    """A batch of invoices, and how far it is."""

    id = text("The batch's id", "bat_psllb4cciywirkrfno2cht5xz7")
    object = text("Always `batch`", validate=validate.Equal("batch"))
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
    created_at = moment("When it was accepted")
    updated_at = moment("When it last changed; how far its invoices are, does not change it")
    links = fields.Nested(BatchLinksSchema, required=True)


class AcceptedBatchSchema(Answer):
    """A job and its batch."""

    job = fields.Nested(JobSchema, required=True)
    batch = fields.Nested(BatchSchema, required=True)


class InvoiceListSchema(ListSchema):
    """Invoices."""

    data = fields.List(fields.Nested(InvoiceShownSchema), required=True)

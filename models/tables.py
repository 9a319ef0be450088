"""All tables, imported in one place so that the metadata is whole."""

from models.base import Base
from models.client import ApiKey, Client
from models.customer import Customer
from models.dispute import Dispute
from models.endpoint import Endpoint
from models.event_cursor import EventCursor
from models.evidence import PaymentEvidence
from models.flag import Flag
from models.history import History
from models.invoice import Invoice
from models.invoice_batch import InvoiceBatch
from models.invoice_line import InvoiceLine
from models.invoice_number import InvoiceNumber
from models.job import Attempt, Job
from models.ledger import LedgerEntry, LedgerTransaction
from models.move import Move
from models.operator_action import OperatorAction
from models.payment import Payment
from models.process import Process
from models.projection import ProjectionEpoch
from models.queue import Queue
from models.reconciliation import Reconciliation
from models.refund import Refund
from models.schedule import Schedule
from models.stripe_event import StripeEventRow

METADATA = Base.metadata

__all__ = [
    "METADATA",
    "ApiKey",
    "Attempt",
    "Client",
    "Customer",
    "Dispute",
    "Endpoint",
    "EventCursor",
    "Flag",
    "History",
    "Invoice",
    "InvoiceBatch",
    "InvoiceLine",
    "InvoiceNumber",
    "Job",
    "LedgerEntry",
    "LedgerTransaction",
    "Move",
    "OperatorAction",
    "Payment",
    "PaymentEvidence",
    "Process",
    "ProjectionEpoch",
    "Queue",
    "Reconciliation",
    "Refund",
    "Schedule",
    "StripeEventRow",
]

"""All tables, imported in one place so that the metadata is whole."""

from models.base import Base
from models.client import ApiKey, Client
from models.customer import Customer
from models.history import History
from models.job import Attempt, Job
from models.operator_action import OperatorAction
from models.payment import Payment
from models.process import Process
from models.projection import ProjectionEpoch
from models.queue import Queue
from models.stripe_event import StripeEventRow

METADATA = Base.metadata

__all__ = [
    "METADATA",
    "ApiKey",
    "Attempt",
    "Client",
    "Customer",
    "History",
    "Job",
    "OperatorAction",
    "Payment",
    "Process",
    "ProjectionEpoch",
    "Queue",
    "StripeEventRow",
]

"""All kinds of jobs, by name."""

from config.errors import ContractError
from tasks.contracts.disputes import AcceptDispute, SubmitDispute, WatchDisputes
from tasks.contracts.events import HealEvents, StripeEvent
from tasks.contracts.evidence import KeepEvidence
from tasks.contracts.invariants import CheckInvariants
from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.contracts.invoice_operations import (
    FinalizeInvoice,
    MarkInvoiceUncollectible,
    PayInvoiceOutOfBand,
    SendInvoice,
    VoidInvoice,
)
from tasks.contracts.invoices import CreateInvoice, RefreshInvoice, RemindInvoices
from tasks.contracts.job import Contract, Kind
from tasks.contracts.ledger import PostFee
from tasks.contracts.notifications import SendNotification
from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.contracts.payments import CreatePayment, RefreshPayment, ReviewPayment
from tasks.contracts.reconciliation import Reconcile
from tasks.contracts.refunds import CreateRefund
from tasks.contracts.shows import ShowViews

CONTRACTS: dict[str, type[Contract]] = {
    contract.KIND.name: contract
    for contract in (
        CreatePayment,
        RefreshPayment,
        ReviewPayment,
        CapturePayment,
        CancelPayment,
        UpdatePayment,
        KeepEvidence,
        CreateRefund,
        CreateInvoice,
        CreateInvoiceBatch,
        RefreshInvoice,
        RemindInvoices,
        FinalizeInvoice,
        SendInvoice,
        VoidInvoice,
        MarkInvoiceUncollectible,
        PayInvoiceOutOfBand,
        SubmitDispute,
        AcceptDispute,
        WatchDisputes,
        CheckInvariants,
        HealEvents,
        PostFee,
        Reconcile,
        SendNotification,
        ShowViews,
        StripeEvent,
    )
}


def contract_of(kind: str) -> type[Contract]:
    """Return the contract of that kind.

    Raises:
        ContractError: if there is no such kind.
    """
    try:
        return CONTRACTS[kind]
    except KeyError:
        raise ContractError(f"there is no job kind '{kind}'; known are: {', '.join(sorted(CONTRACTS))}") from None


def kind_of(kind: str) -> Kind:
    """Return what that kind promises; raises ContractError if there is none of that name."""
    return contract_of(kind).KIND

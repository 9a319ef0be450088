"""Customers: one row per client and e-mail address, and one customer at Stripe for it."""

import logging
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.errors import StripeKeyReusedError, StripeOutcomeUnknownError
from config.settings import WorkerSettings
from models.customer import Customer, email_hash
from models.encrypted import decrypt, encrypt
from tasks.contracts.identity import derived_id
from tasks.contracts.steps import Step
from workers.gateways.stripe import idempotency_key, operation_name
from workers.jobs.attempt import Attempt

LOG = logging.getLogger("tollgate.customers")


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """A customer as the services need it; `stripe_id` is None until Stripe knows them.

    Args:
        former_stripe_ids: whose objects are theirs as well, though Stripe was asked for a new customer since.
    """

    id: str
    name: str
    email: str
    stripe_id: str | None
    former_stripe_ids: tuple[str, ...]


def remember(session: Session, settings: WorkerSettings, *, client_id: str, name: str, email: str) -> KnownCustomer:
    """Return the client's customer with that e-mail address, made now if they are new.

    The name first given stays: what Stripe is asked under one idempotency key must never differ.
    """
    hashed = email_hash(settings.derivation_key, email)
    customer_id = derived_id("cst", settings.derivation_key, client_id, hashed)
    ring = settings.encryption_keys
    session.execute(
        insert(Customer)
        .values(
            id=customer_id,
            client_id=client_id,
            email_hash=hashed,
            name=encrypt(ring, "customers", "name", customer_id, name),
            email=encrypt(ring, "customers", "email", customer_id, email),
        )
        .on_conflict_do_nothing()
    )
    row = session.execute(
        select(Customer.id, Customer.name, Customer.email, Customer.stripe_id, Customer.former_stripe_ids).where(
            Customer.id == customer_id
        )
    ).one()
    return KnownCustomer(
        id=row.id,
        name=decrypt(ring, "customers", "name", row.id, row.name),
        email=decrypt(ring, "customers", "email", row.id, row.email),
        stripe_id=row.stripe_id,
        former_stripe_ids=tuple(row.former_stripe_ids),
    )


def look_up(attempt: Attempt, customer: KnownCustomer) -> str | None:
    """Return Stripe's id of the customer without making one; None if Stripe has none of ours.

    Raises:
        StripeError: as the gateway does.
        FenceLostError: if another attempt owns the job now.
    """
    if customer.stripe_id is not None:
        return customer.stripe_id
    attempt.before_call()
    operation = operation_name(customer.id, "create", 1)
    stripe = attempt.runtime.stripe
    return stripe.find_customer(email=customer.email, operation=operation, between=attempt.before_call)


def at_stripe(attempt: Attempt, customer: KnownCustomer) -> str:
    """Return the customer's id at Stripe, made there and remembered if it is not known yet.

    Raises:
        StripeError: as the gateway does.
        FenceLostError: if another attempt owns the job now.
    """
    if customer.stripe_id is not None:
        return customer.stripe_id
    stripe_id = _create(attempt, customer)
    with attempt.runtime.transaction(Step.KEEP_CUSTOMER) as session:
        # Whoever came first stays: later payments find this customer's objects by that one id.
        session.execute(
            update(Customer).where(Customer.id == customer.id, Customer.stripe_id.is_(None)).values(stripe_id=stripe_id)
        )
        return session.execute(select(Customer.stripe_id).where(Customer.id == customer.id)).scalar_one() or stripe_id


def _create(attempt: Attempt, customer: KnownCustomer) -> str:
    stripe = attempt.runtime.stripe
    operation = operation_name(customer.id, "create", 1)
    attempt.before_call()
    try:
        return stripe.create_customer(
            name=customer.name, email=customer.email, operation=operation, idempotency_key=idempotency_key(operation)
        ).value
    except StripeKeyReusedError:
        LOG.warning("%s was asked for under another name, before this database was restored", customer.id)
    except StripeOutcomeUnknownError as error:
        if not error.replayed:
            raise
    # Stripe keeps answering with what it has stored under the key. A customer moves no money, so a second one would
    # only be untidy: look for the first, else ask under a key of this attempt's own.
    attempt.before_call()
    found = stripe.find_customer(email=customer.email, operation=operation, between=attempt.before_call)
    if found is not None:
        return found
    return _create_anew(attempt, customer)


def replace(attempt: Attempt, customer: KnownCustomer) -> str:
    """Make the customer at Stripe anew, since the one we know is gone there, and return the id that holds from now on.

    What was made for the old one may still be looked for, so its id is kept. If another job was faster, its stays.

    Raises:
        StripeError: as the gateway does.
        FenceLostError: if another attempt owns the job now.
    """
    stripe_id = _create_anew(attempt, customer)
    with attempt.transaction(Step.KEEP_CUSTOMER) as session:
        former = func.array_append(Customer.former_stripe_ids, Customer.stripe_id)
        known = (Customer.id == customer.id, Customer.stripe_id == customer.stripe_id)
        session.execute(update(Customer).where(*known).values(stripe_id=stripe_id, former_stripe_ids=former))
        return session.execute(select(Customer.stripe_id).where(Customer.id == customer.id)).scalar_one() or stripe_id


def _create_anew(attempt: Attempt, customer: KnownCustomer) -> str:
    operation = operation_name(customer.id, "create", 1)
    attempt.before_call()
    return attempt.runtime.stripe.create_customer(
        name=customer.name,
        email=customer.email,
        operation=operation,
        idempotency_key=f"{idempotency_key(operation)}/{attempt.job.id}/{attempt.job.fence}",
    ).value

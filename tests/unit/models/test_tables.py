"""The tables: what is personal is bytes, times know their zone, money is whole numbers of 64 bits."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import BigInteger, DateTime, Float, LargeBinary, Numeric

import models
from models.base import Base, one_of
from models.tables import METADATA

PERSONAL = {
    "customers": {"name", "email"},
    "payments": {"client_secret", "description", "booking_metadata", "shopper_ip", "shopper_user_agent"},
    "jobs": {"payload"},
    "endpoints": {"secret", "former_secret"},
    "invoices": {"purchase_order", "memo", "footer", "booking_metadata", "hosted_url", "pdf_url"},
    "invoice_lines": {"description"},
    "payment_evidence": {"text"},
}
MONEY = {
    *("amount", "amount_received", "amount_refunded", "amount_capturable", "amount_paid"),
    *("subtotal", "tax_amount", "total", "unit_amount", "net"),
}


def test_all_personal_columns_are_sealed_bytes_and_no_others_are_bytes() -> None:
    sealed = {
        table.name: {column.name for column in table.columns if isinstance(column.type, LargeBinary)}
        for table in METADATA.sorted_tables
    }
    assert {name: columns for name, columns in sealed.items() if columns} == PERSONAL


def test_every_time_knows_its_zone() -> None:
    times = [
        column for table in METADATA.sorted_tables for column in table.columns if isinstance(column.type, DateTime)
    ]
    assert len(times) >= 20
    assert [str(column) for column in times if not column.type.timezone] == []


def test_money_is_whole_numbers_of_64_bits() -> None:
    money = [column for table in METADATA.sorted_tables for column in table.columns if column.name in MONEY]
    assert [str(column) for column in money if not isinstance(column.type, BigInteger)] == []
    broken = [
        str(column)
        for table in METADATA.sorted_tables
        for column in table.columns
        if isinstance(column.type, Numeric | Float) and column.name != "rate"
    ]
    assert broken == []


def test_every_model_is_imported_where_migrations_look() -> None:
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"models.{module.name}")
    assert {mapper.local_table.name for mapper in Base.registry.mappers} == set(METADATA.tables)


def test_every_constraint_and_index_has_a_name_that_a_migration_can_find() -> None:
    for table in METADATA.sorted_tables:
        assert all(constraint.name for constraint in table.constraints), table.name
        assert all(index.name for index in table.indexes), table.name


def test_a_condition_of_allowed_values_is_written_as_sql() -> None:
    assert one_of("state", ("a", "b")) == "state IN ('a', 'b')"

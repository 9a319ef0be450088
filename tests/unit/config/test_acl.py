"""The rules of the ingress's Redis user."""

from __future__ import annotations

from config.acl import ingress_acl
from config.keyspace import Keyspace


def test_nothing_is_allowed_but_by_name() -> None:
    rules = ingress_acl(Keyspace("tg:"))
    assert "-@all" in rules
    assert not any(rule.startswith("+@") or rule in {"allkeys", "~*", "allcommands"} for rule in rules)


def test_only_the_script_may_name_the_journal_for_reading() -> None:
    reading = [rule for rule in ingress_acl(Keyspace("tg:")) if "~tg:journal" in rule and "%W~tg:journal" not in rule]
    assert reading == ["(+eval +evalsha ~tg:journal ~tg:rate:* ~tg:idem:* ~tg:view:*)"]


def test_the_projections_epoch_may_be_read_and_not_written() -> None:
    rules = [rule for rule in ingress_acl(Keyspace("tg:")) if "tg:epoch" in rule]
    assert rules == ["(+get %R~tg:pulse:dispatcher %R~tg:epoch %R~tg:durable)"]


def test_a_prefix_is_taken_literally() -> None:
    assert any("~a\\*b\\[c\\]\\?journal" in rule for rule in ingress_acl(Keyspace("a*b[c]?")))

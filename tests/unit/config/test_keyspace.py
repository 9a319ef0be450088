"""Every Redis key starts with the prefix and means one thing."""

from __future__ import annotations

import inspect

from config.keyspace import Keyspace


def names(keyspace: Keyspace) -> dict[str, str]:
    members = inspect.getmembers(Keyspace, lambda member: isinstance(member, property) or inspect.isfunction(member))
    own = {name: member for name, member in members if not name.startswith("_")}
    return {
        name: getattr(keyspace, name) if isinstance(member, property) else getattr(keyspace, name)("x")
        for name, member in own.items()
    }


def test_every_name_starts_with_the_prefix() -> None:
    for name, key in names(Keyspace("shop:")).items():
        assert key.startswith("shop:"), name
        assert key != "shop:", name


def test_no_two_nouns_share_a_key() -> None:
    keys = names(Keyspace("tg:"))
    assert len(keys) >= 11
    assert len(set(keys.values())) == len(keys)


def test_two_systems_with_two_prefixes_share_nothing() -> None:
    assert set(names(Keyspace("a:")).values()).isdisjoint(names(Keyspace("b:")).values())

"""A job is frozen data with a stable name."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from config.errors import ContractError


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of job promises.

    Args:
        name: its stable name, also the Celery task's name.
        queue: the queue that carries its hints.
        max_age: seconds from acceptance after which it is not tried again.
        batch: how many jobs one Celery message may name.
        version: the version of its payload.
        shown: whether a client may ask for it; what nobody asks for has no view.
        asks: whether it has Stripe do something; what only looks has nothing to be in doubt of.
        kept: whether its rows are kept for ever; else they are deleted soon after its end, and what has expired by the
            time it is taken in gets none.
        posted: whether it may come by the journal. What only other jobs leave behind may not: the ingress can sign
            entries, and must not thereby speak in our name.
    """

    name: str
    queue: str
    max_age: float
    batch: int = 1
    version: int = 1
    shown: bool = True
    asks: bool = True
    kept: bool = True
    posted: bool = True


class Contract(Protocol):
    """What every job contract offers."""

    KIND: ClassVar[Kind]

    def to_bytes(self) -> bytes:
        """Write the payload."""
        ...

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Read the payload; raises ContractError if it does not fit."""
        ...


class JsonContract:
    """A contract whose payload is its fields as JSON; base of frozen dataclasses."""

    __slots__ = ()

    def to_bytes(self) -> bytes:
        """Write the fields as canonical JSON, so that equal contracts have equal bytes."""
        fields = dataclasses.asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Read the fields back.

        Raises:
            ContractError: if the payload is no JSON object or its fields are not this contract's.
        """
        fields = _object(cls.__name__, payload)
        known = dataclasses.fields(cls)  # type: ignore[arg-type]  # see above
        # What an older version wrote lacks the fields that came since, which therefore have defaults.
        needed = {field.name for field in known if field.default is dataclasses.MISSING}
        odd = ", ".join(sorted((needed - set(fields)) | (set(fields) - {field.name for field in known})))
        if odd:
            raise ContractError(f"the payload is no {cls.__name__}: missing or unknown fields: {odd}")
        return cls(**fields)


def _object(name: str, payload: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(payload)
    except ValueError:
        raise ContractError(f"the payload is no {name}: it is not JSON") from None
    if not isinstance(fields, dict):
        raise ContractError(f"the payload is no {name}: it is not a JSON object")
    return fields

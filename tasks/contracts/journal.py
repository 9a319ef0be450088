"""A journal entry: what the ingress accepted, sealed to the workers and signed by the ingress."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from config.errors import JournalNotReadableYetError, JournalRejectedError, KeyringError, SealBrokenError
from config.keyring import Keyring
from config.sealing import OpeningKeys, SealingKey, place

_SIGNED_TEXT = (
    "job_id",
    "kind",
    "version",
    "client_id",
    "route",
    "scope",
    "fingerprint",
    "subject_id",
    "request_id",
    "accepted_ms",
    "seal_key_id",
)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One accepted request.

    Args:
        scope: names (client, route, idempotency key); unique in PostgreSQL for ever.
        fingerprint: keyed hash of the body.
        subject_id: the id of what the job is about (a payment's, an event's).
        accepted_ms: UTC, milliseconds since 1970.
        sealed: the payload, readable only by the workers.
    """

    job_id: str
    kind: str
    version: int
    client_id: str
    route: str
    scope: str
    fingerprint: str
    subject_id: str
    request_id: str
    accepted_ms: int
    seal_key_id: str
    sealed: bytes = field(repr=False)
    mac_key_id: str = ""
    mac: bytes = field(default=b"", repr=False)

    def signed(self, ring: Keyring) -> Self:
        """Return the entry with a MAC over all of it, so that whoever can write Redis can't forge one."""
        mac_key_id, mac = ring.sign(self._message())
        return dataclasses.replace(self, mac_key_id=mac_key_id, mac=mac)

    def open(self, macs: Keyring, keys: OpeningKeys) -> bytes:
        """Return the payload.

        Raises:
            JournalRejectedError: if the MAC is wrong or the payload was not sealed for this very entry.
            JournalNotReadableYetError: if a key is unknown here: keys are rotated one process after another.
        """
        if self.mac_key_id not in macs.keys and macs.could_name(self.mac_key_id):
            raise JournalNotReadableYetError(f"the MAC key '{self.mac_key_id}' of {self.job_id} is unknown here")
        if not macs.verifies(self.mac_key_id, self._message(), self.mac):
            raise JournalRejectedError(f"the MAC of {self.job_id} is wrong: the ingress did not write this entry")
        try:
            return keys.open(self.seal_key_id, self.sealed, payload_place(self.job_id, self.kind, self.client_id))
        except KeyringError as error:
            raise JournalNotReadableYetError(f"the payload of {self.job_id} cannot be opened yet: {error}") from error
        except SealBrokenError as error:
            raise JournalRejectedError(f"the payload of {self.job_id} cannot be opened: {error}") from error

    def to_fields(self) -> dict[str, bytes]:
        """Write the entry as the fields of a stream entry."""
        fields = {name: str(getattr(self, name)).encode() for name in (*_SIGNED_TEXT, "mac_key_id")}
        return fields | {"sealed": self.sealed, "mac": self.mac}

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Read the fields of a stream entry.

        Raises:
            JournalRejectedError: if a field is missing or unreadable.
        """
        try:
            text = {name: fields[name.encode()].decode() for name in (*_SIGNED_TEXT, "mac_key_id")}
            numbers = {name: int(text.pop(name)) for name in ("version", "accepted_ms")}
            return cls(**text, **numbers, sealed=fields[b"sealed"], mac=fields[b"mac"])  # type: ignore[arg-type]  # text and numbers by construction
        except KeyError as error:
            raise JournalRejectedError(f"the entry has no field {error}") from None
        except ValueError as error:
            raise JournalRejectedError(f"the entry is unreadable: {error}") from None

    def _message(self) -> bytes:
        return place("journal", *(str(getattr(self, name)) for name in _SIGNED_TEXT)) + self.sealed


def payload_place(job_id: str, kind: str, client_id: str) -> bytes:
    """Return what a payload is bound to in the journal."""
    return place("journal-payload", job_id, kind, client_id)


def seal_payload(key: SealingKey, payload: bytes, *, job_id: str, kind: str, client_id: str) -> bytes:
    """Seal a payload to the workers for one entry."""
    return key.seal(payload, payload_place(job_id, kind, client_id))

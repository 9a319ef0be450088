"""API keys: `tg_<env>_<id>_<secret><checksum>`, stored and compared only as keyed hashes.

The checksum lets a secret scanner, and the door, tell a mistyped key from a foreign one without a look-up.
"""

import base64
import dataclasses
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from config.errors import ContractError
from config.sealing import place

ID_BYTES = 5  # 8 characters of base32: names a key, keeps no secret
SECRET_BYTES = 20  # 32 characters of base32: 160 bits
CHECKSUM_CHARACTERS = 6  # 30 bits of a CRC-32
_TOKEN = re.compile(r"tg_(sandbox|test|live)_([a-z2-7]{8})_([a-z2-7]{32})([a-z2-7]{6})")


@dataclass(frozen=True, slots=True)
class ApiKeyToken:
    """A key as its holder has it."""

    environment: str
    key_id: str
    text: str

    def hashed(self, pepper: bytes) -> str:
        """Return the keyed hash that is stored instead of the key."""
        return hmac.new(pepper, self.text.encode(), hashlib.sha256).hexdigest()


def issue_token(environment: str, random_bytes: Callable[[int], bytes]) -> ApiKeyToken:
    """Make a new key from a source of randomness such as `secrets.token_bytes`."""
    key_id = _base32(random_bytes(ID_BYTES))
    body = f"tg_{environment}_{key_id}_{_base32(random_bytes(SECRET_BYTES))}"
    return ApiKeyToken(environment, key_id, body + _checksum(body))


def parse_token(text: str) -> ApiKeyToken | None:
    """Read a key, or return None if it is mistyped or none of ours."""
    match = _TOKEN.fullmatch(text)
    if match is None or not hmac.compare_digest(_checksum(text[:-CHECKSUM_CHARACTERS]), match[4]):
        return None
    return ApiKeyToken(match[1], match[2], text)


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """What the ingress knows of a key: projected to Redis, absent once revoked.

    Args:
        hashed: keyed hash of the whole key, hexadecimal.
        rate: requests per second that the client may make, on average.
        burst: how many it may make at once.
        mac: binds all of it to the key's id, hexadecimal: whoever can write Redis has not the pepper, and so can
            neither lend a key another client nor lift its limits.
    """

    hashed: str
    client_id: str
    rate: float
    burst: int
    mac: str = ""

    def signed(self, pepper: bytes, key_id: str) -> Self:
        """Return the record with its MAC for that key id."""
        return dataclasses.replace(self, mac=self._mac(pepper, key_id))

    def is_authentic(self, pepper: bytes, key_id: str) -> bool:
        """Tell whether the record was signed with this pepper, for this key id, and is unchanged since."""
        return hmac.compare_digest(self._mac(pepper, key_id).encode(), self.mac.encode())

    def to_fields(self) -> dict[str, str]:
        """Write the record as the fields of a Redis hash."""
        limits = {"rate": str(self.rate), "burst": str(self.burst)}
        return {"h": self.hashed, "client": self.client_id, **limits, "m": self.mac}

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Read the fields of a Redis hash.

        Raises:
            ContractError: if a field is missing or unreadable.
        """
        try:
            return cls(
                hashed=fields[b"h"].decode(),
                client_id=fields[b"client"].decode(),
                rate=float(fields[b"rate"]),
                burst=int(fields[b"burst"]),
                mac=fields[b"m"].decode(),
            )
        except (KeyError, ValueError) as error:
            raise ContractError(f"the API key's record is unreadable: {error}") from None

    def _mac(self, pepper: bytes, key_id: str) -> str:
        # The numbers as Python writes them, which a float survives on its way through PostgreSQL and Redis.
        message = place("api-key-record", key_id, self.hashed, self.client_id, str(float(self.rate)), str(self.burst))
        return hmac.new(pepper, message, hashlib.sha256).hexdigest()


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().lower()


def _checksum(body: str) -> str:
    return _base32(zlib.crc32(body.encode()).to_bytes(4, "big"))[:CHECKSUM_CHARACTERS]

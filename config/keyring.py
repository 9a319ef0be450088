"""Key rings: named keys from the settings, the first of which is the current one.

A ring is written `id:base64,id:base64`. New data is sealed with the first key, old data names the key that opens it,
so that a key is rotated by putting a new one in front.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from config.errors import KeyringError

KEY_BYTES = 32  # AES-256, HMAC-SHA-256 and X25519 all take keys of 32 bytes
_KEY_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by id, the current one first. Its repr never shows a key."""

    current_id: str
    keys: dict[str, bytes] = field(repr=False)

    @property
    def current(self) -> bytes:
        """The key that new data is sealed with."""
        return self.keys[self.current_id]

    def get(self, key_id: str) -> bytes:
        """Return the key of that id.

        Raises:
            KeyringError: if the ring has no such key.
        """
        try:
            return self.keys[key_id]
        except KeyError:
            raise KeyringError(f"no key '{key_id}' in the key ring: add it back behind the current one") from None

    @staticmethod
    def could_name(key_id: str) -> bool:
        """Tell whether this could be the id of a key that another ring has."""
        return _KEY_ID.fullmatch(key_id) is not None

    def sign(self, message: bytes) -> tuple[str, bytes]:
        """Return the current key's id and its HMAC-SHA-256 of the message."""
        return self.current_id, hmac.digest(self.current, message, hashlib.sha256)

    def verifies(self, key_id: str, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is that key's HMAC-SHA-256 of the message; an unknown key verifies nothing."""
        key = self.keys.get(key_id)
        return key is not None and hmac.compare_digest(hmac.digest(key, message, hashlib.sha256), signature)


def parse_keyring(text: str) -> Keyring:
    """Read a ring written `id:base64,id:base64`.

    Raises:
        KeyringError: if an entry has no id, is not base64, is not 32 bytes long, or stands twice.
    """
    keys: dict[str, bytes] = {}
    for position, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        key_id, separator, encoded = entry.partition(":")
        if not separator or not _KEY_ID.fullmatch(key_id):
            raise KeyringError(f"entry {position} is not 'id:base64' with an id of a-z, 0-9 and '-'")
        if key_id in keys:
            raise KeyringError(f"the key id '{key_id}' stands twice")
        keys[key_id] = _decode(key_id, encoded)
    if not keys:
        raise KeyringError("the key ring is empty: it needs at least one 'id:base64'")
    return Keyring(current_id=next(iter(keys)), keys=keys)


def _decode(key_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyringError(f"key '{key_id}' is not base64") from None
    if len(key) != KEY_BYTES:
        raise KeyringError(f"key '{key_id}' has {len(key)} bytes instead of {KEY_BYTES}")
    return key


def encode_keyring(keys: dict[str, bytes]) -> str:
    """Write a ring in the form that `parse_keyring` reads, the first key being the current one."""
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in keys.items())

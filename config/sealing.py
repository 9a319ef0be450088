"""Sealing: to the workers' public key (HPKE, RFC 9180) and under a shared key ring (AES-256-GCM, NIST SP 800-38D).

What is sealed is bound to its place: a value copied to another row, column, job or key cannot be opened there.
"""

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from config.errors import SealBrokenError
from config.keyring import Keyring

NONCE_BYTES = 12  # the length GCM is specified for
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_FORMAT = 1  # first byte of every AES-GCM value: lets a later format live beside this one


def place(*parts: str) -> bytes:
    """Return associated data that names a place, unambiguous whatever the parts hold."""
    return b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))


def seal(ring: Keyring, plaintext: bytes, where: bytes) -> bytes:
    """Encrypt under the ring's current key, bound to a place: format, key id's length, key id, nonce, ciphertext."""
    nonce = os.urandom(NONCE_BYTES)
    key_id = ring.current_id.encode()
    return bytes((_FORMAT, len(key_id))) + key_id + nonce + AESGCM(ring.current).encrypt(nonce, plaintext, where)


def unseal(ring: Keyring, sealed: bytes, where: bytes) -> bytes:
    """Decrypt what `seal` made for the same place.

    Raises:
        SealBrokenError: if the bytes were changed, moved, or are no sealed value.
        KeyringError: if the ring lacks the key that they name.
    """
    if len(sealed) < 2 or sealed[0] != _FORMAT:  # noqa: PLR2004 - the two header bytes
        raise SealBrokenError("these bytes are not in Tollgate's sealed format")
    start = 2 + sealed[1]
    key = ring.get(sealed[2:start].decode("ascii", "replace"))
    nonce, ciphertext = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, where)
    except (InvalidTag, ValueError):
        raise SealBrokenError from None


def key_id_of(sealed: bytes) -> str:
    """Name the key that a sealed value was made with, for rotation."""
    return sealed[2 : 2 + sealed[1]].decode("ascii")


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A public key by its id: whoever holds it can seal, and cannot open."""

    key_id: str
    public_key: bytes

    def seal(self, plaintext: bytes, where: bytes) -> bytes:
        """Seal to the holder of the private key, bound to a place (HPKE base mode, the place as `info`)."""
        return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(self.public_key), where)


@dataclass(frozen=True, slots=True)
class OpeningKeys:
    """The private keys that open what was sealed to their public keys."""

    ring: Keyring = field(repr=False)

    def open(self, key_id: str, sealed: bytes, where: bytes) -> bytes:
        """Open what `SealingKey.seal` made for the same place.

        Raises:
            SealBrokenError: if the bytes were changed, moved, or are no sealed value.
            KeyringError: if the ring lacks the key.
        """
        private_key = X25519PrivateKey.from_private_bytes(self.ring.get(key_id))
        try:
            return _SUITE.decrypt(sealed, private_key, where)
        except (InvalidTag, ValueError):
            raise SealBrokenError from None


def public_key_of(private_key: bytes) -> bytes:
    """Return the X25519 public key (32 bytes) of a private one."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()

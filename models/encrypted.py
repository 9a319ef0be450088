"""Columns that are sealed at rest: AES-256-GCM, bound to table, column and row."""

from config.keyring import Keyring
from config.sealing import place, seal, unseal


def encrypt(ring: Keyring, table: str, column: str, row_id: str, value: str) -> bytes:
    """Seal a text for one cell."""
    return encrypt_bytes(ring, table, column, row_id, value.encode())


def decrypt(ring: Keyring, table: str, column: str, row_id: str, sealed: bytes) -> str:
    """Open what `encrypt` made for the same cell.

    Raises:
        SealBrokenError: if it was changed, or belongs to another cell.
        KeyringError: if its key is not in the ring.
    """
    return decrypt_bytes(ring, table, column, row_id, sealed).decode()


def encrypt_bytes(ring: Keyring, table: str, column: str, row_id: str, value: bytes) -> bytes:
    """Seal bytes for one cell."""
    return seal(ring, value, place("column", table, column, row_id))


def decrypt_bytes(ring: Keyring, table: str, column: str, row_id: str, sealed: bytes) -> bytes:
    """Open what `encrypt_bytes` made for the same cell; raises as `decrypt` does."""
    return unseal(ring, bytes(sealed), place("column", table, column, row_id))

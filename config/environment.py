"""Reading variables: each complaint is one line that names the variable, says what is wrong and what is wanted."""

import re
from typing import Self
from urllib.parse import parse_qs, urlsplit

from environs import Env, EnvError

from config.errors import KeyringError, SettingsError
from config.keyring import KEY_BYTES, Keyring, parse_keyring
from config.sealing import SealingKey

MAXIMUM_SECONDS = 366 * 24 * 3600.0  # more is a slip of the pen
SOCKET_SCHEMES = ("unix", "redis+socket")
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9_+/=-]{8,}")
_COMPLAINT = re.compile(
    r"""Environment variable "(?P<name>\w+)" (?:not set|invalid: \[?['"]?(?P<reason>.*?)['"]?\]?)"""
)


class Reader:
    """Reads variables; used as a context so that every complaint of the library becomes a SettingsError."""

    def __init__(self) -> None:
        self._env = Env()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EnvError):
            raise SettingsError(_in_words(str(error))) from None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a variable that must be set and not blank, unless it has a default."""
        value = self._env.str(name, default) if default is not None else self._env.str(name)
        if not value.strip():
            raise SettingsError(f"{name} is set but empty: give it a value or unset it")
        return str(value)

    def whole(self, name: str, default: int, *, low: int, high: int | None = None) -> int:
        """Return a whole number within limits."""
        value = self._env.int(name, default)
        if value < low or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise SettingsError(f"{name} is {value}, but must be {limits}")
        return int(value)

    def seconds(self, name: str, default: float) -> float:
        """Return a duration in seconds, above zero."""
        value = self._env.float(name, default)
        if not 0 < value < MAXIMUM_SECONDS:
            raise SettingsError(f"{name} is {value}, but must be seconds above 0")
        return float(value)

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Return one of the allowed words."""
        value = self.text(name, default)
        if value not in allowed:
            raise SettingsError(f"{name} is '{value}', but must be one of: {', '.join(allowed)}")
        return value

    def words(self, name: str, allowed: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
        """Return some of the allowed words, written with commas between them."""
        found = tuple(word.strip() for word in self.text(name, ",".join(default)).split(","))
        for word in found:
            if word not in allowed:
                raise SettingsError(f"{name} names '{word}', which is none of: {', '.join(allowed)}")
        return found

    def address(self, name: str, schemes: tuple[str, ...], default: str | None = None) -> str:
        """Return an address that starts with one of the schemes and names its host, or the path of its socket.

        A database driver fills in what is missing by guessing a server of this machine, which may be another's.
        """
        value = self.text(name, default)
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise SettingsError(f"{name} must be an address that starts with {' or '.join(s + '://' for s in schemes)}")
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"{name} is no address: {error}") from None
        if port == 0:
            raise SettingsError(f"{name} is no address: a port is from 1 to 65535")
        by_socket = parts.scheme in SOCKET_SCHEMES and parts.path.strip("/")
        if not (parts.hostname or by_socket or parse_qs(parts.query).get("host")):
            raise SettingsError(f"{name} names no host: write it out, none is guessed")
        return value

    def database_address(self, name: str) -> str:
        """Return PostgreSQL's address, which names the database too: none is guessed from the user's name."""
        value = self.address(name, ("postgresql", "postgresql+psycopg2", "postgres"))
        if not urlsplit(value).path.strip("/"):
            raise SettingsError(f"{name} names no database: end it with /name, none is guessed")
        return value

    def key(self, name: str) -> bytes:
        """Return one key of 32 bytes, written in base64."""
        text = self.text(name)
        if "," in text or ":" in text:
            raise SettingsError(f"{name} must be one key in base64, without an id: it is no ring")
        return self._ring_of(name, f"k:{text}").current

    def ring(self, name: str) -> Keyring:
        """Return a key ring."""
        return self._ring_of(name, self.text(name))

    def _ring_of(self, name: str, text: str) -> Keyring:
        try:
            return parse_keyring(text)
        except KeyringError as error:
            reason = str(error).replace("key 'k'", f"it (base64 of {KEY_BYTES} bytes is wanted)")
            raise SettingsError(f"{name}: {reason}") from None

    def sealing_key(self, name: str) -> SealingKey:
        """Return a public key with its id."""
        ring = self.ring(name)
        return SealingKey(ring.current_id, ring.current)

    def webhook_secrets(self, name: str) -> tuple[str, ...]:
        """Return Stripe's signing secrets, several while one is being rotated."""
        secrets = tuple(filter(None, (part.strip() for part in self.text(name).split(","))))
        if not secrets or not all(_WEBHOOK_SECRET.fullmatch(secret) for secret in secrets):
            raise SettingsError(f"{name} must be one or more 'whsec_…' secrets, separated by commas")
        return secrets


def _in_words(complaint: str) -> str:
    """Put the library's complaint (`Environment variable "X" …`) as the other complaints are put."""
    match = _COMPLAINT.fullmatch(complaint)
    if match is None:
        return complaint
    reason = match["reason"]
    return f"{match['name']} is not set" if reason is None else f"{match['name']} is wrong: {reason}"

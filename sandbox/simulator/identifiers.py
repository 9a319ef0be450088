"""Object ids in Stripe's form: a prefix, an underscore, letters and digits."""

import string
from random import Random
from threading import Lock
from typing import Final

ALPHABET: Final = string.ascii_letters + string.digits
OBJECT_ID_LENGTH: Final = 24  # the length Stripe's ids have had since 2018
REQUEST_ID_LENGTH: Final = 14  # the length of the Request-Id header's value after "req_"
SECRET_LENGTH: Final = 25  # the random part of a client secret


class Identifiers:
    """Makes new ids from the given source of randomness; safe to share between threads."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._lock = Lock()

    def new(self, prefix: str, length: int = OBJECT_ID_LENGTH) -> str:
        """Return a fresh id such as ``pi_3N…``."""
        return f"{prefix}_{self.letters(length)}"

    def request(self) -> str:
        """Return a fresh value for the Request-Id header."""
        return self.new("req", REQUEST_ID_LENGTH)

    def letters(self, length: int) -> str:
        """Return that many random letters and digits."""
        with self._lock:
            return "".join(self._random.choices(ALPHABET, k=length))

"""What can befall a TCP link."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal["latency", "reset", "blackhole", "dropped_response", "slow", "half_close", "flapping"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class LinkFault:
    """One fault of a link, for as long as it is set.

    - ``latency``: every answer comes ``seconds`` later.
    - ``reset``: all connections are reset, and new ones at once.
    - ``blackhole``: nothing passes and nothing is closed; what was sent meanwhile arrives afterwards, as TCP has it.
    - ``dropped_response``: requests pass, their answers never come; the connection is reset when the fault ends, as a
      router's forgotten connection would be found out.
    - ``slow``: answers trickle at ``bytes_per_second``.
    - ``half_close``: the client's side sees the end of the stream while what it sends still passes; reset afterwards.
    - ``flapping``: whole and reset by turns of ``seconds``.
    """

    kind: Kind
    seconds: float = 0.2
    bytes_per_second: int = 2000

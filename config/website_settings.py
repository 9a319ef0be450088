"""Settings of notifications: how long a client's website is waited for, and whether it may be on this machine."""

from dataclasses import dataclass

from config.environment import Reader
from config.errors import SettingsError
from config.stripe_settings import Environment


@dataclass(frozen=True, slots=True)
class WebsiteSettings:
    """How notifications reach websites.

    Args:
        connect_timeout: seconds, for the name's addresses and once more for each connection tried.
        read_timeout: seconds, for the whole answer.
        on_loopback: whether a website may be on this machine, at http://127.0.0.1.
    """

    connect_timeout: float
    read_timeout: float
    on_loopback: bool

    @property
    def longest_call(self) -> float:
        """How many seconds one notification may take."""
        return 2 * self.connect_timeout + self.read_timeout


def read_websites(read: Reader, environment: Environment) -> WebsiteSettings:
    """Read how notifications reach websites; only a sandbox may send them to its own machine."""
    name = "TOLLGATE_WEBSITES_ON_LOOPBACK"
    on_loopback = read.choice(name, ("yes", "no"), "no") == "yes"
    if on_loopback and environment != "sandbox":
        raise SettingsError(f"{name} must be unset when TOLLGATE_ENV={environment}: no website is on this machine")
    return WebsiteSettings(
        connect_timeout=read.seconds("TOLLGATE_WEBSITE_CONNECT_TIMEOUT", 2.0),
        read_timeout=read.seconds("TOLLGATE_WEBSITE_READ_TIMEOUT", 8.0),
        on_loopback=on_loopback,
    )

"""The links that can be spoilt: from the web process and from all others to Redis, to PostgreSQL and to Stripe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.chaos.proxy import Link, Proxies
from sandbox.servers.ports import HOST
from sandbox.settings import Addresses

WEB_REDIS = "redis (web)"
REDIS = "redis (workers)"
POSTGRES = "postgres"
STRIPE = "stripe"
NAMES = (WEB_REDIS, REDIS, POSTGRES, STRIPE)


@dataclass(frozen=True, slots=True)
class Links:
    """Opens the links as the system asks for them, and keeps them by name."""

    proxies: Proxies
    by_name: dict[str, Link] = dataclasses.field(default_factory=dict)

    def lead(self, direct: Addresses) -> Addresses:
        """Return the same addresses through links."""
        return dataclasses.replace(
            direct,
            ingress_redis_url=self._through(WEB_REDIS, direct.ingress_redis_url),
            redis_url=self._through(REDIS, direct.redis_url),
            database_url=self._through(POSTGRES, direct.database_url),
            simulator_url=self._through(STRIPE, direct.simulator_url),
        )

    def mend(self) -> None:
        """Let everything pass on every link."""
        for link in self.by_name.values():
            link.mend()

    def _through(self, name: str, url: str) -> str:
        parts = urlsplit(url)
        if parts.port is None:
            raise ValueError(f"the address of {name} has no port")
        link = self.by_name[name] = self.proxies.link(name, parts.port)
        login, separator, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login}{separator}{HOST}:{link.port}").geturl()

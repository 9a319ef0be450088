"""Versions of the API: which there are, and which of them, or which routes, are on their way out.

An answer names the version it was written in. What is deprecated says so with the headers Deprecation (RFC 9745) and
Sunset (RFC 8594); docs/api-versions.md tells how long each lasts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from ingress.problems import ProblemError

HEADER = "Tollgate-Version"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Something still works, and will not for ever.

    Args:
        since: when it was deprecated (UTC); may lie ahead.
        sunset: when it may stop working (UTC), if that is settled.
        link: where to read what to do instead.
    """

    since: datetime
    sunset: datetime | None = None
    link: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that tell of it."""
        headers = {"Deprecation": f"@{int(self.since.timestamp())}"}  # an RFC 9651 date
        if self.sunset is not None:
            headers["Sunset"] = format_datetime(self.sunset.astimezone(UTC), usegmt=True)
        if self.link is not None:
            headers["Link"] = f'<{self.link}>; rel="deprecation"; type="text/markdown"'
        return headers


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that there are.

    Args:
        current: the newest; answers are written in it unless another is asked for.
        known: every version, with its deprecation if it is on its way out.
        routes: routes on their way out, by Flask endpoint such as `jobs.show_job`.
    """

    current: str
    known: Mapping[str, Deprecation | None]
    routes: Mapping[str, Deprecation]

    def chosen(self, header: str | None) -> str:
        """Return the version that a request asks for.

        Raises:
            ProblemError: `version_unknown`.
        """
        if header is None:
            return self.current
        if header.strip() not in self.known:
            raise ProblemError("version_unknown", f"{HEADER} must be one of: {', '.join(self.known)}.")
        return header.strip()

    def headers(self, version: str, endpoint: str | None) -> dict[str, str]:
        """Return the headers that an answer carries; a route's deprecation is nearer than its version's."""
        deprecation = self.routes.get(endpoint or "") or self.known[version]
        return {HEADER: version} | (deprecation.headers() if deprecation is not None else {})


VERSIONS = Versions(current="2026-11-01", known={"2026-11-01": None}, routes={})

"""Every Redis key's name, computed here and typed nowhere else.

All keys share one prefix, so that several systems (or test runs) can share a server and an ACL can name what the
ingress may touch.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The names of all Redis keys under one prefix."""

    prefix: str

    @property
    def journal(self) -> str:
        """The stream of accepted requests: the one key that is no projection."""
        return f"{self.prefix}journal"

    @property
    def journal_rejected(self) -> str:
        """The stream of entries that intake refused as forged or broken."""
        return f"{self.prefix}journal.rejected"

    @property
    def journal_taken_in(self) -> str:
        """The sorted set of notes how far all of the journal had been taken in when; of the last day or so."""
        return f"{self.prefix}journal.taken_in"

    @property
    def journal_waiting(self) -> str:
        """The stream of entries that intake can't take yet: of an unknown key, kind, version or client."""
        return f"{self.prefix}journal.waiting"

    @property
    def epoch(self) -> str:
        """The projections' epoch; its absence tells the dispatcher that Redis has forgotten everything."""
        return f"{self.prefix}epoch"

    @property
    def dispatcher_pulse(self) -> str:
        """The dispatcher's last sign of life and what it can reach: for readiness, answers of the API and operators."""
        return f"{self.prefix}pulse:dispatcher"

    @property
    def durable(self) -> str:
        """A dispatcher's word that this Redis keeps what it acknowledges (`tasks.contracts.durability`)."""
        return f"{self.prefix}durable"

    def api_key(self, key_id: str) -> str:
        """The projected record of one API key."""
        return f"{self.prefix}apikey:{key_id}"

    def misses(self, client_id: str) -> str:
        """The token bucket of one client's reads that Redis can't answer."""
        return f"{self.prefix}rate:{client_id}:misses"

    def rate(self, client_id: str) -> str:
        """The token bucket of one client."""
        return f"{self.prefix}rate:{client_id}"

    def idempotency(self, scope: str) -> str:
        """The idempotency record of one (client, route, key), named by its keyed hash."""
        return f"{self.prefix}idem:{scope}"

    def view(self, subject_id: str) -> str:
        """The sealed view of a job, a payment, a refund or a list."""
        return f"{self.prefix}view:{subject_id}"

    def absent(self, subject_id: str) -> str:
        """The sealed word of a worker that there was nothing by that id a moment ago."""
        return f"{self.prefix}view:{subject_id}:absent"

    def waiters(self, subject_id: str) -> str:
        """The expiring stream that wakes those who wait for a job's outcome, or for a view to be shown."""
        return f"{self.prefix}wait:{subject_id}"

    def breaker(self, name: str) -> str:
        """The shared state of one circuit breaker."""
        return f"{self.prefix}breaker:{name}"

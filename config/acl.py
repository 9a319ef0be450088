"""What the ingress's Redis user may do: run the accept script, read views and API keys, wait. Nothing else.

A key pattern binds the commands of its selector only (Redis 7 and Valkey), and a script's own calls are checked like
any other. So the ingress may name the journal to its script and append to it, and can never read it.
"""

from config.keyspace import Keyspace

_GLOB_CHARACTERS = "\\*?[]"


def ingress_acl(keyspace: Keyspace) -> list[str]:
    """Return the rules for `ACL SETUSER <user> on ><password> <rules…>`; user state and password are not part of them.

    Redis 7.0 and later, and Valkey, accept them: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
    """
    keys = Keyspace(_literally(keyspace.prefix))
    journal, rate, views = keys.journal, keys.rate("*"), keys.view("*")
    idempotency, api_keys, waiters = keys.idempotency("*"), keys.api_key("*"), keys.waiters("*")
    return [
        "resetkeys",
        "resetchannels",
        "clearselectors",
        "-@all",
        "+ping",
        "+select",  # sent after every connect when the address names a database other than 0
        "+time",
        # EVAL and EVALSHA are always taken to read and write every key they are given.
        f"(+eval +evalsha ~{journal} ~{rate} ~{idempotency} ~{views})",
        f"(+xadd %W~{journal})",
        f"(+hmget +hset +pexpire ~{rate})",
        f"(+get +set ~{idempotency})",
        # HSETNX puts a first view there. One that stands can be made to expire at once, and then be replaced, but only
        # by an older view of the same key: nothing else opens, for views are sealed for key, epoch and version.
        f"(+hsetnx +expire %W~{views})",
        f"(+hgetall %R~{views} %R~{api_keys})",
        f"(+xread %R~{waiters})",
        f"(+get %R~{keys.dispatcher_pulse} %R~{keys.epoch} %R~{keys.durable})",
    ]


def _literally(prefix: str) -> str:
    return "".join(f"\\{character}" if character in _GLOB_CHARACTERS else character for character in prefix)

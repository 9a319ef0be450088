"""Reading what is projected into Redis: what is not there does not exist, unless Redis has forgotten everything."""

from collections.abc import Mapping

from config.errors import TollgateError
from config.keyspace import Keyspace
from ingress.redis_gate import RedisGate
from ingress.replies import fields_of


class ForgottenError(TollgateError):
    """Redis has forgotten everything, and the dispatcher has not filled it again yet."""


def read_projection(gate: RedisGate, keyspace: Keyspace, key: str) -> Mapping[bytes, bytes]:
    """Return the fields under a key; none, if it does not exist. Only a miss takes a second round trip.

    Raises:
        ForgottenError: if it is missing, and so is the epoch, which the dispatcher sets once it has filled Redis.
        RedisAwayError: if Redis does not answer.
    """
    fields = fields_of(gate.ask_one("HGETALL", key))
    if fields:
        return fields
    # Once more behind the epoch: Redis may have been filled between the two.
    epoch, reply = gate.ask(("GET", keyspace.epoch), ("HGETALL", key))
    if isinstance(epoch, Exception):
        raise epoch
    if epoch is None:
        raise ForgottenError
    return fields_of(reply)

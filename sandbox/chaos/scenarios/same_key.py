"""The same key posted many times at once, and again after Redis forgot it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sandbox.chaos.database import jobs_made_twice
from sandbox.chaos.orders import ACCEPTED, ALL_PAY, Order, make_orders
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage
from sandbox.system import KEYSPACE

ROUNDS: Final = (10, 200)
AT_ONCE: Final = 50
RATE: Final = 20.0  # payments a second, for what follows the posts
DELETED_AT_ONCE: Final = 500


def play(stage: Stage) -> Own:
    """Post each order 50 times at once; pay it; have Redis forget all keys; post each again."""
    own = Own()
    orders = make_orders(stage.size(*ROUNDS), f"E{stage.seed}", stage.chance, ALL_PAY)
    stage.doing = "posting together"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for order in orders:
            list(pool.map(stage.website.post, [order] * AT_ONCE))
    own.demand(all(order.accepted for order in orders), "some orders were not accepted at all")
    stage.play(orders, RATE)
    stage.doing = "forgetting"
    forgotten = _forget(stage)
    again = [_post_until_accepted(stage, order) for order in orders]
    stage.settle()
    own.demand(all(again), f"{again.count(False)} orders were not accepted after Redis forgot them")
    twice = jobs_made_twice(stage.system.addresses.database_url)
    own.figures |= {
        "keys": len(orders),
        "posts_at_once": AT_ONCE,
        "posts_accepted": sum(order.answers[ACCEPTED] for order in orders),
        "keys_forgotten": forgotten,
        "payments_with_two_jobs": twice,
    }
    own.demand(forgotten >= len(orders), f"Redis forgot only {forgotten} of {len(orders)} keys")
    return own


def _forget(stage: Stage) -> int:
    with stage.system.valkey.client() as client:
        keys = list(client.scan_iter(match=f"{KEYSPACE.idempotency('')}*", count=DELETED_AT_ONCE))
        return sum(
            int(client.unlink(*keys[start : start + DELETED_AT_ONCE])) for start in range(0, len(keys), DELETED_AT_ONCE)
        )


def _post_until_accepted(stage: Stage, order: Order) -> bool:
    tries = 0
    while stage.website.post(order) != ACCEPTED:
        tries += 1
        if tries > AT_ONCE or not stage.pause(1.0):
            return False
    return True


SCENARIO = Scenario(
    name="same_key",
    title="the same key posted 50 at once, 200 times; again after Redis forgot it",
    promise="one job and one charge each",
    play=play,
)

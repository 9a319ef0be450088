"""Every kind of fault at least once, in a random order, under a steady load."""

from typing import Final

from sandbox.chaos.fault_kinds import every_kind
from sandbox.chaos.invoice_orders import make_invoice_orders
from sandbox.chaos.orders import MIXED, make_orders
from sandbox.chaos.plan import plan
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage

RATE: Final = 7.0  # payments a second: what two cores carry beside everything that is started anew
SPAN: Final = 95.0  # seconds over which one round of the faults is spread
SHORT_ROUNDS: Final = 1
LONG_ROUNDS: Final = 3
# As Stripe takes, so that what is killed and frozen is often in the middle of a call.
STRIPE_TAKES_TIME: Final = {"do": "latency", "ms": 200, "match": {"method": "POST", "times": 0}}
LEAST_ACCEPTED: Final = 500


def play(stage: Stage) -> Own:
    """Play every fault once, or three times in a long run."""
    own = Own()
    stage.deliver(shuffle=stage.seed)
    stage.spoil_calls(STRIPE_TAKES_TIME)
    rounds = stage.size(SHORT_ROUNDS, LONG_ROUNDS)
    span = SPAN * rounds
    kinds = every_kind()
    orders = make_orders(int(RATE * span), f"F{stage.seed}", stage.chance, MIXED, impatient=True)
    invoices = make_invoice_orders(len(orders), f"FI{stage.seed}", stage.chance, impatient=True)
    planned = plan(kinds * rounds, stage.chance, span)
    stage.play(orders, RATE, planned, invoices=invoices)
    never = [kind.name for kind in kinds if not stage.toll.fired[kind.name]]
    own.demand(not never, f"never fired: {', '.join(never)}")
    accepted = sum(order.accepted for order in orders)
    own.demand(accepted >= LEAST_ACCEPTED, f"only {accepted} accepted; at least {LEAST_ACCEPTED} make a run")
    own.figures["planned"] = len(planned)
    return own


SCENARIO = Scenario(
    name="faults",
    title="every fault of processes, servers and links at least once, under load",
    promise="lost 0, double 0, orphans 0",
    play=play,
    short=True,
)

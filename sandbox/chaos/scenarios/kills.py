"""SIGKILLs, one after another, while payments go through."""

from typing import Final

from sandbox.chaos.fault_kinds import KILLED, kill
from sandbox.chaos.invoice_orders import make_invoice_orders
from sandbox.chaos.orders import MIXED, make_orders
from sandbox.chaos.plan import plan
from sandbox.chaos.scenarios.faults import STRIPE_TAKES_TIME
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage

KILLS: Final = (12, 500)
ORDERS: Final = (400, 20_000)
RATES: Final = (10, 15)  # payments a second
UNDER_WAY: Final = 200  # at most, as many as on a free machine: more poll so often that nobody gets on


def play(stage: Stage) -> Own:
    """Kill every process by turns, evenly over the load."""
    own = Own()
    kills, count, rate = stage.size(*KILLS), stage.size(*ORDERS), stage.size(*RATES)
    stage.spoil_calls(STRIPE_TAKES_TIME)
    kinds = [kill(KILLED[number % len(KILLED)]) for number in range(kills)]
    orders = make_orders(count, f"K{stage.seed}", stage.chance, MIXED, impatient=True)
    invoices = make_invoice_orders(count, f"KI{stage.seed}", stage.chance, impatient=True)
    stage.play(orders, rate, plan(kinds, stage.chance, count / rate), UNDER_WAY, invoices)
    done = sum(stage.toll.fired.values())
    own.figures |= {"kills": done, "payments": count}
    own.demand(done >= kills, f"{done} SIGKILLs instead of {kills}")
    return own


SCENARIO = Scenario(
    name="kills",
    title="500 SIGKILLs over 20,000 payments",
    promise="lost 0, double 0, orphans 0",
    play=play,
)

"""Jobs whose worker is killed in the middle of a call: how long until another has done them."""

from typing import Final

from sandbox.chaos.orders import Order, make_orders
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage
from sandbox.demo.fates import CREATE_CALL

ROUNDS: Final = (2, 10)
JOBS: Final = 8  # under way at each kill
CALL_SECONDS: Final = 1.8  # how long Stripe's answer is held back: below the read timeout
RATE: Final = 100.0  # a second: all at once
POLL_SECONDS: Final = 0.05
WAIT_SECONDS: Final = 60.0
LEASES: Final = 2  # within so many leases
DONE: Final = "done"


def play(stage: Stage) -> Own:
    """Post a few orders, kill the worker while it waits for Stripe, and time each job until it is done."""
    own = Own()
    lease = float(stage.settings["TOLLGATE_JOB_LEASE_SECONDS"])
    took: list[float] = []
    for number in range(stage.size(*ROUNDS)):
        stage.spoil_calls({"do": "latency", "seconds": CALL_SECONDS, "match": {**CREATE_CALL, "times": JOBS}})
        orders = make_orders(JOBS, f"N{stage.seed}-{number}", stage.chance, {"leaves": 1})
        stage.begin(orders, RATE)
        took += _kill_and_time(stage, orders, own)
        stage.finish()
    longest = max(took, default=0.0)
    own.figures |= {
        "jobs": len(took),
        "lease_seconds": lease,
        "longest_seconds": round(longest, 2),
        "median_seconds": round(sorted(took)[len(took) // 2], 2) if took else None,
    }
    own.demand(took, "no job was under way at any kill")
    own.demand(longest <= LEASES * lease, f"a job took {longest:.1f} s, more than {LEASES} x {lease:g} s")
    return own


def _kill_and_time(stage: Stage, orders: list[Order], own: Own) -> list[float]:
    deadline = stage.now() + WAIT_SECONDS
    while sum(int(rule["fired"]) for rule in stage.system.simulator.faults()) < JOBS:
        if stage.now() >= deadline or not stage.pause(POLL_SECONDS):
            own.broken.append(f"not all of {JOBS} calls reached Stripe")
            return []
    killed = stage.now()
    stage.system.supervisor.kill("worker")
    left = {order.reference: order for order in orders if order.accepted and not _is_done(stage, order)}
    took: list[float] = []
    while left and stage.now() < killed + WAIT_SECONDS:
        for reference, order in list(left.items()):
            if _is_done(stage, order):
                took.append(stage.now() - killed)
                del left[reference]
        stage.pause(POLL_SECONDS)
    if left:
        own.broken.append(f"{len(left)} jobs were not done {WAIT_SECONDS:.0f} s after their worker was killed")
    return took


def _is_done(stage: Stage, order: Order) -> bool:
    job = stage.website.job(min(order.job_ids))
    return job is not None and job["status"] == DONE


SCENARIO = Scenario(
    name="rescue",
    title="jobs done after kill -9 of their worker",
    promise="within 2 x lease",
    play=play,
)

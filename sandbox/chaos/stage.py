"""The stage of one scenario: a system of its own behind spoilable links, the website, and what everybody did."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from sandbox.api_client import ApiClient
from sandbox.chaos.availability import Outages
from sandbox.chaos.invoice_life import live_invoices
from sandbox.chaos.invoice_orders import InvoiceOrder
from sandbox.chaos.life import Life, World, live
from sandbox.chaos.links import Links
from sandbox.chaos.load import Load
from sandbox.chaos.nemesis import Toll, carry_out
from sandbox.chaos.orders import Order, Posted
from sandbox.chaos.plan import Planned
from sandbox.chaos.proxy import Proxies
from sandbox.chaos.quiet import wait_until_quiet
from sandbox.chaos.website import TIMEOUT_SECONDS, Website
from sandbox.system import System, running_system

Length = Literal["short", "long"]
# So that what takes a quarter of an hour in production takes a minute here; in the report under `settings`.
PACE: Final[Mapping[str, str]] = {
    "TOLLGATE_STRIPE_CONNECT_TIMEOUT": "1",
    "TOLLGATE_STRIPE_READ_TIMEOUT": "2",
    "TOLLGATE_JOB_LEASE_SECONDS": "5",
    "TOLLGATE_WEBSITE_CONNECT_TIMEOUT": "0.5",
    "TOLLGATE_WEBSITE_READ_TIMEOUT": "1.5",
    "TOLLGATE_BACKOFF_BASE_SECONDS": "0.5",
    "TOLLGATE_BACKOFF_CAP_SECONDS": "5",
    "TOLLGATE_STRIPE_BREAKER_RESET": "2",
    "TOLLGATE_GENERATION_WAIT_SECONDS": "5",
}
RETRY_SCALE: Final = 0.1  # webhooks that were not taken come again after 0.1, 0.2, 0.4 s and so on
PATIENCE: Final[Mapping[Length, float]] = {"short": 60.0, "long": 180.0}
LOOK_SECONDS: Final = 1.0  # between two looks whether the load is through
# What quiet may take once nothing is spoilt any more.
SETTLE_SECONDS: Final[Mapping[Length, float]] = {"short": 100.0, "long": 600.0}
NEEDLESS: Final = "flower"  # watching is not under test, and takes a part of two cores


@dataclass(slots=True)
class Stage:
    """Where one scenario plays, and all that was seen. It is the nemesis's `Scene`."""

    length: Length
    seed: int
    chance: random.Random
    settings: Mapping[str, str]
    system: System
    links: Links
    website: Website
    toll: Toll = field(default_factory=Toll)
    outages: Outages = field(default_factory=Outages)
    orders: list[Order] = field(default_factory=list)
    invoices: list[InvoiceOrder] = field(default_factory=list)
    webhooks: dict[str, Any] = field(default_factory=lambda: {"retry_scale": RETRY_SCALE})
    stripe_faults: list[dict[str, Any]] = field(default_factory=list)
    load: Load | None = None
    posted_until: float = 0.0
    doing: str = "starting"
    quiet: bool = True
    stopping: threading.Event = field(default_factory=threading.Event)

    def size(self, short: int, long: int) -> int:
        """Return the figure for this run's length."""
        return short if self.length == "short" else long

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def pause(self, seconds: float) -> bool:
        """Wait that long; False if the run ends."""
        return not self.stopping.wait(seconds)

    def set_simulator_up(self) -> None:
        """Tell a simulator that was started anew how to deliver webhooks and which calls to spoil."""
        self.system.simulator.webhooks(**self.webhooks)
        if self.stripe_faults:
            self.system.simulator.add_faults(self.stripe_faults)

    def deliver(self, **settings: Any) -> None:
        """Set how webhooks are delivered from now on."""
        self.webhooks = {"retry_scale": RETRY_SCALE, **settings}
        self.system.simulator.webhooks(**self.webhooks)

    def spoil_calls(self, *faults: dict[str, Any]) -> None:
        """Spoil calls to Stripe from now on, instead of those before: rules as the simulator takes them."""
        self.system.simulator.clear_faults()
        self.stripe_faults = list(faults)
        if faults:
            self.system.simulator.add_faults(self.stripe_faults)

    def play(
        self,
        orders: Sequence[Order],
        rate: float,
        planned: Sequence[Planned] = (),
        limit: float = math.inf,
        invoices: Sequence[InvoiceOrder] = (),
    ) -> None:
        """Post orders at a rate (per second), carry the plan out meanwhile, and wait until all is quiet.

        Orders come as independent clients send them: their gaps are exponentially distributed. Beyond a limit of orders
        under way both orders and faults are put off.
        """
        load = self.begin(orders, rate, limit, invoices)
        if planned:
            self.doing = "faults"
            carry_out(self, planned, self.toll, lambda: load.held)
        self.finish()

    def begin(
        self,
        orders: Sequence[Order],
        rate: float,
        limit: float = math.inf,
        invoices: Sequence[InvoiceOrder] = (),
    ) -> Load:
        """Begin to post orders at a rate, and invoices beside them over all the time; `finish` waits for them."""
        self.doing = "load"
        self.orders += [*orders, *(each.payment for each in invoices if each.payment is not None)]
        self.invoices.extend(invoices)
        world = World(self.website, self.system.simulator, PATIENCE[self.length], self.now)
        load = self.load = Load(self.now, limit=limit)
        at = 0.0
        lives: list[tuple[float, Posted, Life]] = []
        for order in orders:
            at += self.chance.expovariate(rate)
            lives.append((at, order, live(world, order)))
        lives += [(self.chance.uniform(0, at), each, live_invoices(world, each)) for each in invoices]
        self.posted_until = self.now() + at
        load.start(lives)
        return load

    def finish(self) -> None:
        """Wait until every order of the load has been posted, then until all is quiet."""
        load = self.load
        if load is None:
            return
        try:
            # All are posted on time or not much later: a load that is still not through says so as unfinished.
            while self.now() < self.posted_until + load.held + SETTLE_SECONDS[self.length]:
                if load.wait_until_begun(LOOK_SECONDS):
                    break
            self.doing = "settling"
            self.links.mend()
            deadline = self.now() + SETTLE_SECONDS[self.length]
            ended = load.wait_until_ended(max(0.0, deadline - self.now()))
            self.quiet = wait_until_quiet(self.system, max(5.0, deadline - self.now())) and ended and self.quiet
        finally:
            load.stop()

    def settle(self) -> None:
        """Wait until all is quiet, where no load was played."""
        self.doing = "settling"
        self.quiet = wait_until_quiet(self.system, SETTLE_SECONDS[self.length]) and self.quiet


@contextlib.contextmanager
def set_stage(
    folder: Path, *, name: str, length: Length, seed: int, settings: Mapping[str, str], on_step: Any
) -> Iterator[Stage]:
    """Run a system of its own for one scenario.

    Args:
        folder: of the run.
        name: of the scenario; with the seed it decides all that is left to chance.
        length: how much of everything.
        seed: the run's.
        settings: beside those for the pace.
        on_step: told in words what is being started.

    Raises:
        SystemNotReadyError, ReleaseError, ServerNotStartedError, BinaryMissingError: it did not come up.
    """
    own = {**PACE, **settings}
    with Proxies() as proxies:
        links = Links(proxies)
        with running_system(folder, settings=own, via=links.lead, on_step=on_step) as system:
            system.supervisor.stop(NEEDLESS)
            api = ApiClient(system.web_url, system.api.key, timeout=TIMEOUT_SECONDS)
            stage = Stage(
                length=length,
                seed=seed,
                chance=random.Random(f"{seed}/{name}"),  # noqa: S311 - a repeatable run, no secret
                settings=own,
                system=dataclasses.replace(system, api=api),
                links=links,
                website=Website(api),
            )
            stage.set_simulator_up()
            try:
                yield stage
            finally:
                stage.stopping.set()
                if stage.load is not None:
                    stage.load.stop()

"""How a worker stops: nothing new is begun, what runs may end within a grace, the rest is given back.

Celery's own way, measured on 5.7 with threads: SIGTERM waits for running tasks without any limit; further SIGTERMs,
SIGINT and SIGQUIT change nothing about that, since threads can't be cancelled; and Python joins the pool's threads once
more as it exits. So the signals, the wait and the end of the process are ours.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from celery.worker import state

from config.errors import DatabaseAwayError
from tasks.admission import Admission
from tasks.contracts.steps import Step
from workers.jobs.release import release
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.worker")
# Closing the connections to a broker that answers takes no time; to one that does not, it must not take for ever.
MARGIN_SECONDS = 3.0
SIGNAL_EXIT_BASE = 128  # as a shell reports death by a signal
POLITE = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """The end of one worker process.

    Args:
        runtime: whose jobs are released and whose connections are closed.
        admission: what admits work in this process.
        end: ends the process with an exit code.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        runtime: Runtime,
        admission: Admission,
        *,
        end: Callable[[int], object] = os._exit,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._admission = admission
        self._end = end
        self._monotonic = monotonic
        self._grace = runtime.settings.jobs.stop_grace
        self._deadline: float | None = None
        self._asked = threading.Event()
        self._finishing = threading.Lock()

    def take_signals(self) -> None:
        """Take the signals over from Celery. SIGQUIT, and a second signal of the others, end the process at once."""
        threading.Thread(target=self._limit, name="stop-limit", daemon=True).start()
        for number in POLITE:
            signal.signal(number, self.ask)
        signal.signal(signal.SIGQUIT, self._end_at_once)

    def ask(self, number: int, frame: FrameType | None = None) -> None:
        """Begin to stop, the first time; a signal handler, so it takes no lock that the main thread may hold."""
        if self._deadline is not None:
            self._end_at_once(number, frame)
            return
        self._deadline = self._monotonic() + self._grace
        state.should_stop = os.EX_OK  # type: ignore[assignment]  # the stubs say None; Celery's event loop leaves when it sees this
        self._asked.set()

    def drain(self) -> int:
        """Begin nothing new and wait for what runs, to the end of the grace; return how much still runs."""
        if self._deadline is None:  # Celery stops by itself, for instance by remote control
            self._deadline = self._monotonic() + self._grace
        self._admission.close()
        return self._admission.drain(max(0.0, self._deadline - self._monotonic()))

    def finish(self, code: int) -> None:
        """Give back what still runs, close every connection, and end the process; once, whoever comes first."""
        if not self._finishing.acquire(blocking=False):
            return
        self._runtime.stripe.close()  # from here on no attempt of this process can ask Stripe anything new
        self._release()
        self._admission.watch.close()
        self._runtime.close()
        LOG.info("worker stopped")
        logging.shutdown()
        self._end(code)  # not sys.exit, which would wait for the threads that were just given up

    def _release(self) -> None:
        if not self._admission.watch.is_there:
            LOG.warning("PostgreSQL is away: what still runs is left to the end of its lease")
            return
        try:
            with self._runtime.transaction(Step.RELEASE) as session:
                released = release(session, self._runtime.name)
        except DatabaseAwayError as error:
            LOG.warning("what still runs is left to the end of its lease: %s", error)
            return
        for job_id in released:
            LOG.warning("the grace is over: the job is given back", extra={"job_id": job_id})

    def _limit(self) -> None:
        """End the process even if Celery's way of stopping hangs, for instance on a broker that does not answer."""
        self._asked.wait()
        LOG.info("worker stops: what runs may end within %g s", self._grace)
        threading.Event().wait(self._grace + MARGIN_SECONDS)
        LOG.error("the worker's connections can't be closed in an orderly way: it ends without")
        self.finish(os.EX_OK)

    def _end_at_once(self, number: int, _frame: FrameType | None = None) -> None:
        self._end(SIGNAL_EXIT_BASE + number)

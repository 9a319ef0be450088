"""What is known of a job and its payment, growing newer while a request waits."""

import logging

from config.errors import RedisAwayError
from ingress.door import Door
from ingress.problems import ProblemError
from ingress.views import read_both
from tasks.contracts.views import FINAL_JOB_STATES, JobView, PaymentView

log = logging.getLogger(__name__)


class News:
    """The newest views of an accepted job and its payment."""

    def __init__(self, door: Door, job: JobView, payment: PaymentView) -> None:
        self._door = door
        self.job = job
        self.payment = payment

    def is_over(self) -> bool:
        """Tell whether there is nothing more to wait for."""
        return self.job.state in FINAL_JOB_STATES

    def read(self) -> bool:
        """Read the views again and tell whether there is nothing more to wait for.

        What is known stays known if Redis fails: the job is accepted, and its client must hear so.
        """
        try:
            job, payment = read_both(self._door, self.job.id, self.payment.id, self.job.client_id)
        except (RedisAwayError, ProblemError) as error:
            log.warning("the views of an accepted job could not be read: %s", error)
            return self.is_over()
        self.job = job or self.job
        self.payment = payment or self.payment
        return self.is_over()

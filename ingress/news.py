"""What is known of a job and of what it is about, growing newer while a request waits."""

import logging

from config.errors import RedisAwayError
from ingress.door import Door
from ingress.problems import ProblemError
from ingress.views import About, read_both
from tasks.contracts.views import FINAL_JOB_STATES, JobView

log = logging.getLogger(__name__)


class News:
    """The newest views of an accepted job and of its subject."""

    def __init__(self, door: Door, job: JobView, subject: About) -> None:
        self._door = door
        self.job = job
        self.subject = subject

    def is_over(self) -> bool:
        """Tell whether there is nothing more to wait for."""
        return self.job.state in FINAL_JOB_STATES

    def read(self) -> bool:
        """Read the views again and tell whether there is nothing more to wait for.

        What is known stays known if Redis fails: the job is accepted, and its client must hear so.
        """
        try:
            job, subject = read_both(self._door, self.job, self.subject)
        except (RedisAwayError, ProblemError) as error:
            log.warning("the views of an accepted job could not be read: %s", error)
            return self.is_over()
        self.job = job or self.job
        self.subject = subject or self.subject
        return self.is_over()

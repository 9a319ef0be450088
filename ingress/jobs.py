"""Jobs, read at GET /v1/jobs/{id}; with `Prefer: wait=N` as soon as their outcome is there."""

from flask import Blueprint, Response, request

from ingress.answers import tagged_answer
from ingress.door import Door
from ingress.headers import wait_seconds
from ingress.reads import find
from ingress.views import MissingError, read_view
from ingress.waiting import LONGEST_WAIT
from tasks.contracts import representations
from tasks.contracts.views import FINAL_JOB_STATES, JobView


def jobs(door: Door) -> Blueprint:
    """Return the routes of jobs."""
    routes = Blueprint("jobs", __name__)

    @routes.get("/v1/jobs/<job_id>")
    def show_job(job_id: str) -> Response:
        client = door.api_keys.authenticate(request)
        latest = Latest(door, *find(door, client, JobView, job_id))
        headers = {}
        seconds = wait_seconds(request, LONGEST_WAIT)
        if seconds and (latest.is_over() or door.waiting.wait(door.keyspace.waiters(job_id), seconds, latest.read)):
            headers["Preference-Applied"] = f"wait={seconds}"
        if not latest.is_over():
            door.outlook.look()
            headers |= door.outlook.delays()
        return tagged_answer(representations.job(latest.view), latest.tag, headers)

    return routes


class Latest:
    """The newest view of a job with its entity tag, growing newer while a request waits."""

    def __init__(self, door: Door, view: JobView, tag: str) -> None:
        self._door = door
        self.view = view
        self.tag = tag

    def is_over(self) -> bool:
        """Tell whether there is nothing more to wait for."""
        return self.view.state in FINAL_JOB_STATES

    def read(self) -> bool:
        """Read the view again and tell whether there is nothing more to wait for."""
        try:
            newer = read_view(self._door, JobView, self.view.id, self.view.client_id)
        except MissingError:  # Redis has just forgotten it: what is known stays known
            return self.is_over()
        if newer is not None:
            self.view, self.tag = newer
        return self.is_over()

"""Jobs, read at GET /v1/jobs/{id}; with `Prefer: wait=N` as soon as their outcome is there."""

import re

from flask import Blueprint, Response, request

from ingress.answers import tagged_answer
from ingress.door import Door
from ingress.headers import wait_seconds
from ingress.problems import ProblemError
from ingress.views import read_view
from ingress.waiting import LONGEST_WAIT
from tasks.contracts import representations
from tasks.contracts.views import FINAL_JOB_STATES, JobView

JOB_ID = re.compile(r"job_[a-z2-7]{26}")


def jobs(door: Door) -> Blueprint:
    """Return the routes of jobs."""
    routes = Blueprint("jobs", __name__)

    @routes.get("/v1/jobs/<job_id>")
    def show_job(job_id: str) -> Response:
        client_id = door.api_keys.authenticate(request).client_id
        found = read_view(door, JobView, job_id, client_id) if JOB_ID.fullmatch(job_id) else None
        if found is None:
            raise ProblemError("not_found", "There is no such job.")
        latest = Latest(door, *found)
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
        found = read_view(self._door, JobView, self.view.id, self.view.client_id)
        if found is not None:
            self.view, self.tag = found
        return self.is_over()

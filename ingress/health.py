"""Health: is the process there, can it accept, and will what it accepts be worked on soon."""

import time

from flask import Blueprint, Response

from ingress.answers import json_answer
from ingress.door import Door


def health(door: Door) -> Blueprint:
    """Return the routes of health checks."""
    routes = Blueprint("health", __name__)

    @routes.get("/health/live")
    def live() -> Response:
        return json_answer({"status": "live"})

    @routes.get("/health/ready")
    def ready() -> Response:
        asked = time.perf_counter()
        door.outlook.look_now()
        answered_in = time.perf_counter() - asked
        door.outlook.require_durable()
        # What is accepted while others are away is kept, and worked on later: this is no reason to be taken out of use.
        parts = {"redis": "up", **door.outlook.parts()}
        pulse = door.outlook.pulse()
        age = None if pulse is None else max(0.0, door.clock() - pulse.at_ms / 1000)
        return json_answer(
            {
                "status": "degraded" if "away" in parts.values() else "ready",
                **parts,
                "redis_milliseconds": round(answered_in * 1000, 1),
                "dispatcher_pulse_age_seconds": None if age is None else round(age, 1),
            }
        )

    return routes

"""Health: is the process there, and can it accept."""

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
        pulse = door.gate.ask_one("GET", door.keyspace.dispatcher_pulse)
        answered_in = time.perf_counter() - asked
        # For information only: what is accepted while no dispatcher runs is kept, and taken in later.
        age = None if pulse is None or not pulse.isdigit() else max(0.0, door.clock() - int(pulse) / 1000)
        return json_answer(
            {
                "status": "ready",
                "redis_milliseconds": round(answered_in * 1000, 1),
                "dispatcher_pulse_age_seconds": None if age is None else round(age, 1),
            }
        )

    return routes

"""The Flask application: the door. It validates, accepts and shows; it holds no Stripe key and no database address."""

import logging
import time
from collections.abc import Callable

from flask import Flask, Response, g, request

from config.settings import IngressSettings
from ingress.authentication import ApiKeys
from ingress.door import Door
from ingress.evidence import evidence
from ingress.failures import answer_failures
from ingress.health import health
from ingress.invoice_batches import invoice_batches
from ingress.invoices import invoices
from ingress.jobs import jobs
from ingress.lists import lists
from ingress.outlook import Outlook
from ingress.pages import pages
from ingress.payment_operations import payment_operations
from ingress.payments import payments
from ingress.redis_gate import RedisGate, connection_pool
from ingress.refunds import refunds
from ingress.request_id import ENVIRON, with_request_id
from ingress.security_headers import security_headers
from ingress.versions import HEADER, VERSIONS, Versions
from ingress.waiting import WaitingRoom, waiting_room
from ingress.webhooks import webhooks

log = logging.getLogger("ingress.access")
PROBES = "/health/"  # asked every few seconds by whoever watches, so logged only for debugging


def create_app(
    settings: IngressSettings,
    *,
    redis: RedisGate | None = None,
    waiting: WaitingRoom | None = None,
    clock: Callable[[], float] = time.time,
    versions: Versions = VERSIONS,
) -> Flask:
    """Make the application; nothing is connected before the first request.

    Args:
        settings: all that the process knows.
        redis: the way to Redis, if not the one the settings name.
        waiting: where requests wait, if not over the Redis that the settings name.
        clock: seconds since 1970, UTC.
        versions: the API's versions.
    """
    gate = redis or _gate(settings)
    outlook = Outlook(gate, settings.redis.keyspace, live=settings.environment == "live")
    door = Door(settings, gate, ApiKeys(settings, gate), waiting or waiting_room(settings), outlook, clock)
    app = Flask("ingress", static_folder=None)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False  # else `//` is redirected, to whatever the Host header names
    answer_failures(app)
    _frame(app, settings, versions)
    for routes in (
        payments(door),
        payment_operations(door),
        evidence(door),
        refunds(door),
        invoices(door),
        invoice_batches(door),
        lists(door),
        jobs(door),
        webhooks(door),
        health(door),
        pages(),
    ):
        app.register_blueprint(routes)
    app.wsgi_app = with_request_id(app.wsgi_app)  # type: ignore[method-assign,assignment]  # how Flask documents middleware
    return app


def _gate(settings: IngressSettings) -> RedisGate:
    # One connection for each thread, so that nobody waits for one.
    size = max(settings.redis.pool_size, settings.threads)
    return RedisGate(connection_pool(settings.redis, size=size, socket_timeout=settings.redis.socket_timeout))


def _frame(app: Flask, settings: IngressSettings, versions: Versions) -> None:
    """Note what every request needs, and put on every answer what it must carry."""
    fixed = security_headers(settings.environment)

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.request_id = request.environ[ENVIRON]
        g.version = versions.current
        g.version = versions.chosen(request.headers.get(HEADER))

    @app.after_request
    def end(answer: Response) -> Response:
        answer.headers.update(fixed)
        answer.headers.update(versions.headers(g.version, request.endpoint))
        log.log(
            logging.DEBUG if request.path.startswith(PROBES) else logging.INFO,
            "%s %s %d",
            request.method,
            request.url_rule or "unknown address",  # the rule, not the path: a path may hold anything
            answer.status_code,
            extra={"milliseconds": round((time.perf_counter() - g.started) * 1000, 1)},
        )
        return answer

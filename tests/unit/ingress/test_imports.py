"""The door holds little power, also by what it loads."""

from __future__ import annotations

import json
import subprocess
import sys

FORBIDDEN = {"celery", "kombu", "stripe", "sqlalchemy", "psycopg2", "models", "workers", "ops", "sandbox"}
PROGRAM = (
    "import sys, json, ingress.app, ingress.wsgi; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
)


def test_the_ingress_loads_nothing_that_could_reach_stripe_or_the_database() -> None:
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    assert FORBIDDEN.isdisjoint(json.loads(loaded))

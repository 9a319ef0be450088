"""A small Celery worker for the test of Flower: one task that ends in every way. Run as a script."""

import os
import sys

from celery.exceptions import Retry

from config.celery_factory import create_celery
from config.errors import StripeUnavailableError
from config.keyspace import Keyspace

ENDS = {
    "aaa": None,
    "bbb": Retry("waiting: Stripe was not reached"),
    "ccc": Retry("waiting", exc=StripeUnavailableError("Stripe was not reached")),
    "ddd": Retry("waiting", exc=KeyError("anna@example.com")),
    "eee": StripeUnavailableError("Stripe was not reached for six hours, wrote anna@example.com"),
    "fff": KeyError("Anna Example"),
}

app = create_celery(broker_url=os.environ["FLOWER_TEST_BROKER"], keyspace=Keyspace(os.environ["FLOWER_TEST_PREFIX"]))


@app.task(name="payments.create")
def end(job_ids: list[str], _note: str = "") -> str:
    error = ENDS[job_ids[0][4:7]]
    if error is not None:
        raise error
    return f"{job_ids[0]}: done"


if __name__ == "__main__":
    app.worker_main(
        ["worker", "--pool=threads", "--concurrency=2", "--hostname=tester@here", "--loglevel=WARNING", *sys.argv[1:]]
    )

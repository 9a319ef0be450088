"""PostgreSQL restored to an older state while Stripe, Redis and the clients go on from the newer one."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from sandbox.chaos.orders import MIXED, make_orders
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage

LOST_SECONDS: Final = (15, 120)  # what the restored database has forgotten
BEFORE_SECONDS: Final = 10.0
AFTER_SECONDS: Final = 5.0
RATE: Final = 6.0  # payments a second
MARGIN_SECONDS: Final = 60  # the operator names a time safely before the copy; what is taken in twice does no harm
COMMAND_SECONDS: Final = 300.0


def play(stage: Stage) -> Own:
    """Copy the data folder of the stopped server, go on, crash, put the copy back, and run the operator's command."""
    own = Own()
    lost = float(stage.size(*LOST_SECONDS))
    span = BEFORE_SECONDS + lost + AFTER_SECONDS
    postgres = stage.system.postgres
    copy = stage.system.folder / "postgres.copy"
    stage.begin(make_orders(int(span * RATE), f"B{stage.seed}", stage.chance, MIXED), RATE)
    stage.pause(BEFORE_SECONDS)
    stage.doing = "copying"
    postgres.stop()
    postgres.copy_data(copy)
    postgres.start()
    copied = stage.now()
    stage.doing = "going on"
    stage.pause(lost)
    stage.doing = "restoring"
    postgres.stop_immediately()
    forgotten = stage.now() - copied
    postgres.put_back(copy)
    postgres.start()
    shutil.rmtree(copy)
    done = _reread(stage, forgotten)
    own.demand(done.returncode == 0, f"the operator's command ended with {done.returncode}: {done.stderr.strip()}")
    stage.finish()
    own.figures |= {"restored_to_seconds_ago": round(forgotten, 1), "command": done.stderr.strip()}
    return own


def _reread(stage: Stage, forgotten: float) -> subprocess.CompletedProcess[str]:
    since = f"{int(forgotten) + MARGIN_SECONDS}s"
    command = [
        str(Path(sys.executable).parent / "tollgate"),
        "journal",
        "reread",
        "--since",
        since,
        "--by",
        "chaos",
        "--why",
        "restored an older copy",
    ]
    return subprocess.run(
        command,
        env=dict(stage.system.environments["operator"]),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


SCENARIO = Scenario(
    name="restore",
    title="PostgreSQL restored to two minutes ago, once",
    promise="lost 0, double 0",
    play=play,
)

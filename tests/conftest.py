"""What holds for all tests: the server fixtures, and that skipping for want of a server can be made a failure."""

from __future__ import annotations

from collections.abc import Generator

import hypothesis
import pytest

from tests.servers import (  # noqa: F401 - fixtures, found by name
    database_server_url,
    database_url,
    empty_database_url,
    migrated_template,
    owned_database_url,
    owned_postgres,
    owned_valkey,
    redis_prefix,
    redis_url,
    shelf,
)

# Properties are about what holds, not about how fast a loaded machine shows it: a time limit on each example would fail
# whichever test happens to be the first to import something.
hypothesis.settings.register_profile("tollgate", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tollgate")

SERVER_MARKS = ("servers", "owns_servers")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --require-servers."""
    parser.addoption(
        "--require-servers",
        action="store_true",
        help="a test marked 'servers' or 'owns_servers' that is skipped fails instead; so does a module skipped whole",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under --require-servers turn a skip of a servers test into a failure."""
    report = yield
    wanted = item.config.getoption("--require-servers") and any(map(item.get_closest_marker, SERVER_MARKS))
    if wanted and report.skipped and not hasattr(report, "wasxfail"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Under --require-servers a module that skips itself fails: nobody knows what it would have tested."""
    report = yield
    if collector.config.getoption("--require-servers") and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"--require-servers: this must run, but was skipped: {reason}"

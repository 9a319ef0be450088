"""The last step of `make check`: migrations up and down on a real server, and the OpenAPI document."""

import sys
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from ingress import openapi
from models import migrations
from models.database import psycopg_url
from sandbox.servers import with_postgres

OPENAPI = Path(__file__).parent.parent / "docs" / "openapi.json"
LEFT_BY_ALEMBIC = {"alembic_version"}


def main() -> int:
    """Run all checks, name each, and return 0 only if every one passes."""
    document = openapi.main(["--check", str(OPENAPI)]) == 0
    climbed = _check("migrations", check_migrations)
    return 0 if document and climbed else 1


def _check(name: str, run: Callable[[], list[str]]) -> bool:
    problems = run()
    for problem in problems:
        sys.stderr.write(f"{name}: {problem}\n")
    if not problems:
        sys.stdout.write(f"{name}: well\n")
    return not problems


def check_migrations() -> list[str]:
    """Return what is wrong with the migrations: each step must go up and down, and end where the tables are."""
    with with_postgres(fsync=False) as server:
        return _climb(server.url)


def _climb(url: str) -> list[str]:
    configuration = migrations.configuration(url)
    steps = [step.revision for step in ScriptDirectory.from_config(configuration).walk_revisions("base", "head")][::-1]
    for step in steps:
        migrations.upgrade(url, step)
        migrations.downgrade(url, "-1")
        migrations.upgrade(url, step)
    try:
        command.check(configuration)
    except CommandError as error:
        return [f"the tables in models/ and the migrations differ: {error}"]
    migrations.downgrade(url)
    left = _objects(url) - LEFT_BY_ALEMBIC
    return [f"going down leaves behind: {', '.join(sorted(left))}"] if left else []


def _objects(url: str) -> set[str]:
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    try:
        found = inspect(engine)
        return {*found.get_table_names(), *found.get_sequence_names()}
    finally:
        engine.dispose()


if __name__ == "__main__":
    sys.exit(main())

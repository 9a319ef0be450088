"""The OpenAPI document, made from the schemas that requests are checked with.

`python -m ingress.openapi` prints it; `--check FILE` compares it with the committed one, `--write FILE` rewrites that.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from ingress.notifications import webhooks
from ingress.openapi_compatibility import breaking_changes
from ingress.operations import operations
from ingress.versions import VERSIONS

ABOUT = """Payments for a training company's website. Callers are the website's server, never browsers.

What answers 202 is kept. Follow it at its Location, or send `Prefer: wait=10`. Repeat whatever failed or was not
answered with the same Idempotency-Key: it is done once. Answers may gain fields and words; be ready to ignore them."""


def document() -> dict[str, Any]:
    """Return the document."""
    spec = APISpec(
        title="Tollgate",
        version=VERSIONS.current,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={"description": ABOUT},
    )
    spec.components.security_scheme(
        "apiKey", {"type": "http", "scheme": "bearer", "bearerFormat": "tg_<environment>_<id>_<secret><checksum>"}
    )
    for path, methods in operations().items():
        spec.path(path, operations=methods)
    heard = webhooks(spec)
    return json.loads(json.dumps({**spec.to_dict(), "webhooks": heard}))  # type: ignore[no-any-return]  # plain dicts and lists only


def text() -> str:
    """Return the document as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check the document; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ingress.openapi", description=__doc__)
    parser.add_argument("--check", metavar="FILE", type=Path, help="fail unless FILE is the document of this code")
    parser.add_argument("--write", metavar="FILE", type=Path, help="rewrite FILE")
    options = parser.parse_args(arguments)
    if options.check is not None:
        return _check(options.check)
    if options.write is not None:
        options.write.write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())
    return 0


def _check(committed: Path) -> int:
    if not committed.is_file() or committed.read_text(encoding="utf-8") != text():
        sys.stderr.write(f"{committed} is not what the code says; run: python -m ingress.openapi --write {committed}\n")
        return 1
    released = _released(committed)
    broken = breaking_changes(released, document()) if released is not None else []
    for change in broken:
        sys.stderr.write(f"breaks the API of the last release: {change}\n")
    if broken:
        sys.stderr.write("make it compatible, or a new version: see docs/api-versions.md\n")
    return 1 if broken else 0


def _released(committed: Path) -> Mapping[str, Any] | None:
    """Return the document of the last release tag, if there is one, else that of the last commit, if there is one."""
    folder = committed.resolve().parent
    tag = _git(folder, "describe", "--tags", "--abbrev=0") or "HEAD"
    shown = _git(folder, "show", f"{tag.strip()}:./{committed.name}")
    released: Mapping[str, Any] | None = json.loads(shown) if shown else None
    return released


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # a source archive without git has nothing to compare with
        return None
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())

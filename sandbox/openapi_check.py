"""The committed OpenAPI document must be what the ingress says, and break no client of what was committed before."""

import json
import subprocess
from pathlib import Path
from typing import Any

from ingress.openapi import document
from ingress.openapi_compatibility import breaking_changes

REWRITE = "python -m ingress.openapi > docs/openapi.json"


def check_openapi(path: Path, checkout: Path) -> list[str]:
    """Return what is wrong with the committed document.

    Args:
        path: the document.
        checkout: the work tree, for the document of its last commit; elsewhere only the files are compared.
    """
    current = json.loads(json.dumps(document()))
    if not path.exists():
        return [f"{path.name} is missing; write it with: {REWRITE}"]
    problems = []
    if json.loads(path.read_text()) != current:
        problems.append(f"{path.name} is not what the ingress says; if the change is meant: {REWRITE}")
    before = _committed(path.relative_to(checkout), checkout)
    if before is not None:
        problems += [f"breaks clients: {change}" for change in breaking_changes(before, current)]
    return problems


def _committed(path: Path, checkout: Path) -> dict[str, Any] | None:
    done = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None  # no git, or the document is new
    found: dict[str, Any] = json.loads(done.stdout)
    return found

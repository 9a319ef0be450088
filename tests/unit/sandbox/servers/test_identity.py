"""Who PostgreSQL runs as."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import guarded
from sandbox.servers import identity
from sandbox.servers.postgres import Postgres
from sandbox.servers.server import ServerNotStartedError

AS_ROOT = os.geteuid() == 0
MAKE_A_NAMESPACE = ["unshare", "--user", "--map-root-user"]
NO_NAMESPACES = "echo 0 > /proc/sys/user/max_user_namespaces"


@pytest.fixture(autouse=True)
def fresh_answers() -> None:
    identity._namespace_works.cache_clear()


def test_an_ordinary_user_stays_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert identity.identity_for(tmp_path) == "same"


def test_root_falls_back_to_nobody_where_namespaces_are_forbidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise guarded.CommandNotStartedError("unshare: Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(identity, "Guarded", forbidden)
    assert identity.identity_for(tmp_path) == "nobody"


@pytest.mark.skipif(not AS_ROOT, reason="only root needs another identity")
def test_root_falls_back_to_nobody_where_the_kernel_really_forbids_namespaces(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*MAKE_A_NAMESPACE, "true"], check=False).returncode != 0:
        pytest.skip("this machine lets us make no namespace to forbid others in")
    code = "import sys, pathlib; from sandbox.servers.identity import *; print(identity_for(pathlib.Path(sys.argv[1])))"
    forbidden = [*MAKE_A_NAMESPACE, "sh", "-c", f'{NO_NAMESPACES}; exec "$@"', "sh"]
    answer = subprocess.run(
        [*forbidden, sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "nobody"


def test_where_nothing_works_the_error_says_to_run_as_an_ordinary_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def not_permitted(*_: object, **__: object) -> None:
        raise PermissionError("not permitted")

    monkeypatch.setattr(os, "chown", not_permitted)
    monkeypatch.setattr(identity.tempfile, "mkdtemp", lambda **_: str(_made(tmp_path / "home")))  # type: ignore[attr-defined]  # tempfile, as identity sees it
    with pytest.raises(ServerNotStartedError, match="run as an ordinary user"):
        Postgres(tmp_path / "data", identity="nobody").prepare()
    assert not (tmp_path / "home").exists()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder

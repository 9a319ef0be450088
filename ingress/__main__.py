"""`python -m ingress` serves the API; wrong settings end it with one line and exit code 78.

With `--check` it serves nothing and only tells, by its exit code, whether it could.
"""

import os
import sys
from importlib import import_module

from config.errors import SettingsError
from config.logs import configure_logs
from config.settings import load_ingress
from ingress.server import CHECK, PROCESS, server
from tasks.contracts.steps import arm_failpoints


def main() -> int:
    """Check the settings, then serve until SIGTERM or SIGINT; return the exit code."""
    try:
        settings = load_ingress()
        arm_failpoints(settings.failpoints)  # each process does; here, so that a wrong one stops before it serves
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        return os.EX_CONFIG
    configure_logs(settings.log, PROCESS)
    if CHECK in sys.argv[1:]:
        import_module("ingress.app").create_app(settings)  # a parent that serves does without
        return os.EX_OK
    server(settings).serve()
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())

"""The entry point of a web server's worker process."""

from flask import Flask

from config.logs import configure_logs
from config.settings import load_ingress
from ingress.app import create_app

PROCESS = "web"


def application() -> Flask:
    """Return the application with the settings of the environment."""
    settings = load_ingress()
    configure_logs(settings.log, PROCESS)
    return create_app(settings)

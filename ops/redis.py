"""`tollgate redis`: what Redis should hold us to."""

import click

from config.acl import ingress_acl
from config.settings import load_keyspace
from ops.output import json_option, print_json


@click.group()
def redis_group() -> None:
    """Print the rules that Redis should hold us to.

    Example: tollgate redis acl
    """


@redis_group.command()
@json_option
def acl(*, as_json: bool) -> None:
    """Print the ACL rules of the web process's user: it may run the accept script and read views, nothing else.

    The key names carry TOLLGATE_REDIS_PREFIX. The user's password is yours to add.

    Example: echo "ACL SETUSER ingress reset on >PASSWORD $(tollgate redis acl)" | redis-cli
    """
    rules = ingress_acl(load_keyspace())
    if as_json:
        print_json(list(rules))
    else:
        click.echo(" ".join(rules))

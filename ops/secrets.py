"""`tollgate secrets`: a complete set of fresh keys for a new installation.

Each variable is described in `config/settings.py`. What other parties give out (addresses, Stripe's keys) is not here.
"""

import base64
import secrets
from collections.abc import Callable

import click

from config.keyring import KEY_BYTES, encode_keyring
from config.sealing import public_key_of
from ops.output import json_option, print_json, say

FLOWER_USER = "operator"
FLOWER_PASSWORD_BYTES = 24  # 32 characters of base64
FIRST_KEY_ID = "k1"
SINGLE_KEYS = ("TOLLGATE_API_KEY_PEPPER", "TOLLGATE_IDENTITY_KEY", "TOLLGATE_DERIVATION_KEY")
RINGS = ("TOLLGATE_JOURNAL_MAC_KEYS", "TOLLGATE_VIEW_KEYS", "TOLLGATE_ENCRYPTION_KEYS")


def generate(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> dict[str, str]:
    """Return fresh random values of every secret that Tollgate makes for itself, by variable.

    Args:
        random_bytes: a source of that many random bytes, fit for keys.
    """
    private_key = random_bytes(KEY_BYTES)
    values = {name: base64.b64encode(random_bytes(KEY_BYTES)).decode() for name in SINGLE_KEYS}
    values |= {name: encode_keyring({FIRST_KEY_ID: random_bytes(KEY_BYTES)}) for name in RINGS}
    values["TOLLGATE_JOURNAL_PUBLIC_KEY"] = encode_keyring({FIRST_KEY_ID: public_key_of(private_key)})
    values["TOLLGATE_JOURNAL_PRIVATE_KEYS"] = encode_keyring({FIRST_KEY_ID: private_key})
    password = base64.urlsafe_b64encode(random_bytes(FLOWER_PASSWORD_BYTES)).decode()
    values["TOLLGATE_FLOWER_BASIC_AUTH"] = f"{FLOWER_USER}:{password}"
    return values


@click.group()
def secrets_group() -> None:
    """Generate the secrets of a new installation.

    Example: tollgate secrets generate > production.env
    """


@secrets_group.command("generate")
@json_option
def generate_command(*, as_json: bool) -> None:
    """Print fresh random values of all key rings, peppers and passwords as KEY=value lines.

    Nothing is stored: keep the output where only the processes that need each value can read it. The web process
    gets the journal's public key only, never the private one.

    Example: (umask 077; tollgate secrets generate > production.env)
    """
    values = generate()
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        click.echo(f"{name}={value}")
    say("still yours to set: TOLLGATE_ENV, TOLLGATE_REDIS_URL, TOLLGATE_DATABASE_URL and TOLLGATE_STRIPE_…")

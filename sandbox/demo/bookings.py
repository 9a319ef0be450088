"""What the website posts: bookings of made-up people on made-up courses."""

import random
from dataclasses import dataclass
from typing import Any

COURSES = (("First Aid at Work", 18_500), ("Excel for Accountants", 9_900), ("Forklift Refresher", 24_000))
NAMES = ("Ada Byron", "Grace Murray", "Alan Mathison", "Mary Somerville", "George Boole", "Hedy Kiesler")
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@dataclass(frozen=True, slots=True)
class Booking:
    """One booking to be paid: its reference and the body of the request."""

    reference: str
    body: dict[str, Any]


def make_booking(number: int, run: str, chance: random.Random) -> Booking:
    """Return a booking; its reference is unique to the run, so that two runs never mix."""
    course, price = chance.choice(COURSES)
    name = chance.choice(NAMES)
    reference = f"{run}-{number:03d}"
    body = {
        "amount": price + number,  # every amount differs, so that a mix-up can't cancel out
        "currency": "gbp",
        "booking_reference": reference,
        "customer": {"name": name, "email": f"{name.split()[0].lower()}.{number}@example.org"},
        "description": course,
        "metadata": {"course": course},
        "shopper": {"ip": f"192.0.2.{number % 250 + 1}", "user_agent": USER_AGENT},
    }
    return Booking(reference, body)

"""Evidence of disputes: the texts that Stripe takes, as far as a seller of courses has something to say in them.

Names and limits are Stripe's: https://docs.stripe.com/api/disputes/evidence_object and
https://docs.stripe.com/api/disputes/update. Left out are what is about goods that are shipped, files, and the other
charge of a duplicate, whose id at Stripe a website never learns.
"""

from typing import Final

MOST_TEXT: Final = 20_000  # characters of one field
MOST_TOGETHER: Final = 150_000  # characters of all fields

TEXTS: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "uncategorized_text",
)
# What is written down piece by piece: pieces follow each other. Of every other field the newest piece counts.
APPENDED: Final = ("access_activity_log", "uncategorized_text")

"""All nouns, by Stripe's reporting categories; another one is a file of its own and a line here."""

from collections.abc import Mapping
from typing import Final

from workers.services.reconciliation.charges import CHARGES
from workers.services.reconciliation.disputes import DISPUTES
from workers.services.reconciliation.noun import Noun
from workers.services.reconciliation.payouts import PAYOUTS
from workers.services.reconciliation.refunds import REFUNDS

NOUNS: Final = (CHARGES, REFUNDS, DISPUTES, PAYOUTS)
BY_CATEGORY: Final[Mapping[str, Noun]] = {category: noun for noun in NOUNS for category in noun.postings}
BY_KIND: Final[Mapping[str, Noun]] = {kind: noun for noun in NOUNS for kind, _ in noun.postings.values()}

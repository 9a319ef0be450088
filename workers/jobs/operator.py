"""Operators: who does something to jobs and queues, and why. Every act is recorded with what it acts on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_RECORD = text("""
INSERT INTO operator_actions (action, subject, operator, reason, details)
SELECT :action, subject, :operator, :reason, CAST(details AS jsonb)
FROM unnest(CAST(:subjects AS text[]), CAST(:details AS text[])) AS acted_on (subject, details)
""")


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and why; neither is empty."""

    name: str
    reason: str

    def record(self, session: Session, action: str, subjects: Mapping[str, Mapping[str, Any]]) -> None:
        """Record an act on subjects, each with details of what it was like before; in the act's own transaction."""
        if not subjects:
            return
        details: Sequence[str] = [json.dumps(dict(each)) for each in subjects.values()]
        parameters = {"action": action, "operator": self.name, "reason": self.reason}
        session.execute(_RECORD, {**parameters, "subjects": list(subjects), "details": details})

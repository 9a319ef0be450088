"""Scenes: a step has one for each way there is to it."""

from __future__ import annotations

from tests.chaos import dispute_scenes, event_scenes, intake_scenes, invoice_scenes, payment_scenes, process_scenes

SCENES = (
    *intake_scenes.SCENES,
    *process_scenes.SCENES,
    *payment_scenes.SCENES,
    *event_scenes.SCENES,
    *invoice_scenes.SCENES,
    *dispute_scenes.SCENES,
)

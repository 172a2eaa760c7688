"""Hypothesis without its clock: these machines are shared, and slow tests have pytest's time-out."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")

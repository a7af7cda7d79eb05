"""Fixtures and profiles. Hypothesis is derandomised in the check; GDS_HYPOTHESIS=large is large and random."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "check", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "large", derandomize=False, deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("GDS_HYPOTHESIS", "check"))

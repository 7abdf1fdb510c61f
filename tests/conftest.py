"""Settings shared by every test: a reproducible hypothesis profile, and no window for pictures."""

from __future__ import annotations

import os

os.environ["MPLBACKEND"] = "Agg"  # before matplotlib is imported anywhere

from hypothesis import HealthCheck, settings

# Derandomised: a red run is red for everybody. No deadline: compilation makes the first example slow.
settings.register_profile(
    "qkernels",
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("qkernels")

"""Hypothesis profiles: `quick` for every run, `thorough` for a night (`pytest --hypothesis-profile=thorough`)."""

from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", parent=settings.get_profile("quick"), max_examples=12)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=5_000)
settings.load_profile("quick")

"""Hypothesis profiles: `quick` for every run, `thorough` for a night (`pytest --hypothesis-profile=thorough`)."""

import gc
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ("syncline.testing.plugin",)  # also where Syncline was installed before it had one

settings.register_profile("quick", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", parent=settings.get_profile("quick"), max_examples=12)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=5_000)
settings.load_profile("quick")

# A shell that starts tests in the background makes them deaf to Ctrl-C, and the processes that they start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """What was collected stays to the end, and is much: garbage is not looked for there again and again."""
    gc.collect()
    gc.freeze()

"""Settings of the whole suite."""

from hypothesis import HealthCheck, settings

# The same examples every time, whatever the machine and its load; nothing is kept on disk.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

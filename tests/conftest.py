"""Settings of the whole suite."""

import os
import signal

from hypothesis import HealthCheck, settings

# As in sim/cli.py, before a test imports numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The same examples every time, whatever the machine and its load; nothing is kept on disk.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

# A shell that starts the suite in the background lets it ignore Ctrl-C, and with it every run that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

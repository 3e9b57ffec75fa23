"""Settings of the whole suite."""

import os
import signal
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
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


# Half the time of composing a configuration goes into parsing the same files of conf/ and experiments/ again.
CONF = tuple(f"{Path(__file__).resolve().parents[1] / folder}{os.sep}" for folder in ("conf", "experiments"))
_load = yaml.load


@cache
def _parsed(path: str, loader: str, changed: int) -> Any:
    return _load(Path(path).read_text(encoding="utf-8"), _LOADERS[loader])


def _load_once(stream: Any, Loader: Any) -> Any:
    name = getattr(stream, "name", None)
    if not (isinstance(name, str) and name.startswith(CONF)):
        return _load(stream, Loader)
    _LOADERS[Loader.__qualname__] = Loader  # OmegaConf makes a new class each time
    return deepcopy(_parsed(name, Loader.__qualname__, os.stat(name).st_mtime_ns))


_LOADERS: dict[str, Any] = {}
yaml.load = _load_once

"""The command line, called from a test."""

import signal
import sys

import pytest

from sim import cli


@pytest.fixture
def sim(tmp_path, monkeypatch, capsys):
    """Call `sim` in an empty folder: sim(arguments) -> (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["sim", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)

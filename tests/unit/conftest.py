"""The command line, called from a test."""

import signal
import sys

import pytest

from sim import cli


@pytest.fixture
def sim(tmp_path, monkeypatch, capsys):
    """Call `sim` in an empty folder: sim(arguments) -> (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["sim", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    yield call
    signal.signal(signal.SIGTERM, handler)

"""Killed twenty times in a row, at a random moment each time, and the tables are those of an undisturbed run."""

import pytest

from tests.functional.test_faults import killings
from tests.verification.alarms import SEED

pytestmark = pytest.mark.verification


def test_twenty_kills_in_a_row(tmp_path):
    killed, flipped = killings(tmp_path, SEED, kills=20)
    assert len(killed) >= 10  # the others came when the run was as good as finished
    assert len(flipped) == 1

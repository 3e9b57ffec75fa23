"""A replication does not cost more, nor less, unless that is meant: then `python -m tests.regression.work`."""

import json

import pytest

from tests.regression import work

NEAR = 0.03
"""Python versions differ a little in what is a call: 3.12 has none for a comprehension."""


@pytest.mark.parametrize("experiment", work.EXPERIMENTS)
def test_the_work_of_a_replication_is_that_of_the_last_refresh(experiment):
    written = json.loads(work.FILE.read_text(encoding="utf-8"))[experiment]
    counted = work.count(experiment)
    calls, expected = counted.pop("calls"), written.pop("calls")
    assert counted == written
    assert calls == pytest.approx(expected, rel=NEAR)

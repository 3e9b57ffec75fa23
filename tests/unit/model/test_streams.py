"""Random streams: addressed, open at both ends, never shared by two uses."""

from collections import Counter
from zlib import crc32

import numpy as np
import pytest

from sim.model.parameters import walk
from sim.model.site import Origin, site_entity
from sim.model.streams import Purpose, Streams
from tests.helpers import inhabit, state, study

ADDRESS = (Purpose.SITE, site_entity(Origin.call, 2, 17), 25)


def test_an_address_always_gives_the_same_numbers():
    streams = Streams(1, 0)
    first = streams.block(*ADDRESS)
    streams.block(Purpose.HIRING, 5, 1000)  # whatever is read in between
    next(streams.groups(Purpose.OUTAGE, 3, 3))
    assert streams.block(*ADDRESS) == first == Streams(1, 0).block(*ADDRESS)
    assert streams.block(Purpose.SITE, ADDRESS[1], 10) == first[:10]  # a longer read begins like a shorter one


def test_numbers_are_those_of_numpy():
    """The published results can be checked without this package: key, counter, 53-bit uniforms, half a step up."""
    key = np.random.SeedSequence(20251114, spawn_key=(7,)).generate_state(2, np.uint64)
    philox = np.random.Philox(key=key, counter=[3 << 32, int(Purpose.SITE), 12345, 0])
    expected = np.random.Generator(philox).random(50) * (1 - 2.0**-52) + 2.0**-53
    assert Streams(20251114, 7).block(Purpose.SITE, 12345, 50, block=3) == expected.tolist()


@pytest.mark.parametrize(
    ("streams", "purpose", "entity", "block"),
    [
        (Streams(2, 0), Purpose.SITE, 5, 0),
        (Streams(1, 1), Purpose.SITE, 5, 0),
        (Streams(1, 0), Purpose.HIRING, 5, 0),
        (Streams(1, 0), Purpose.SITE, 6, 0),
        (Streams(1, 0), Purpose.SITE, 5 + 2**48, 0),
        (Streams(1, 0), Purpose.SITE, 5, 1),
        (Streams(1 + 2**32, 0), Purpose.SITE, 5, 0),
        (Streams(2**63 - 1, 2**32 - 1), Purpose.SITE, 2**64 - 1, 2**31),
    ],
    ids=["seed", "replication", "purpose", "entity", "high entity", "block", "high seed", "largest"],
)
def test_another_address_gives_other_numbers(streams, purpose, entity, block):
    ours = Streams(1, 0).block(Purpose.SITE, 5, 1000)
    assert not set(ours) & set(streams.block(purpose, entity, 1000, block))


def test_seed_and_replication_are_not_added():
    assert Streams(1, 2).block(*ADDRESS) != Streams(2, 1).block(*ADDRESS)


def test_neighbouring_streams_do_not_overlap():
    """100,000 numbers from each of 27 neighbours in purpose, entity and block: all 2.7 million are different."""
    streams = Streams(1, 0)
    numbers = np.concatenate([
        streams.block(purpose, entity, 100_000, block)
        for purpose in (Purpose.CALL, Purpose.SITE, Purpose.HIRING) for entity in (0, 1, 2) for block in (0, 1, 2)
    ])  # fmt: skip
    # Of 53-bit numbers, about 0.0004 pairs among 2.7 million agree by chance.
    assert len(np.unique(numbers)) == len(numbers)


def test_uniforms_are_strictly_inside(monkeypatch):
    streams = Streams(1, 0)
    ends = np.array([0.0, np.nextafter(1.0, 0.0)])
    monkeypatch.setattr(streams, "_random", lambda size: ends.copy())
    low, high = streams.block(Purpose.SITE, 0, 2)
    assert 0.0 < low < 1e-15
    assert 1.0 - 1e-15 < high < 1.0


def test_parts_of_an_entity_have_their_own_numbers():
    """The units of a park, say: the fourth word of the counter."""
    streams = Streams(1, 0)
    parts = [next(streams.groups(Purpose.FIRM, 9, 4, part=part)) for part in (0, 1, 2)]
    assert len({number for group in parts for number in group}) == 12
    assert list(parts[0]) == streams.block(Purpose.FIRM, 9, 4)
    assert next(streams.groups(Purpose.FIRM, 9, 4, part=1)) == parts[1]


def test_groups_are_the_stream_in_slices():
    streams = Streams(1, 0)
    groups = streams.groups(Purpose.HIRING, 9, 4, per_block=6)
    got = [list(next(groups)) for _ in range(14)]
    blocks = [streams.block(Purpose.HIRING, 9, 24, block) for block in range(3)]
    assert got == [block[i : i + 4] for block in blocks for i in range(0, 24, 4)][:14]


class Audited(Streams):
    """Streams that write down every address that is read, taken from the generator itself."""

    def __init__(self, seed, replication):
        super().__init__(seed, replication)
        self.read = Counter()
        draw = self._random

        def audited(size):
            block, purpose, entity, part = (int(word) for word in self._bits.state["state"]["counter"])
            self.read[Purpose(purpose), entity, part, block] += 1
            return draw(size)

        self._random = audited


@pytest.mark.parametrize(
    ("experiment", "overrides"),
    [
        ("baseline", {"end": "2027-12-31", "outages.frequency": 6}),
        ("baseline", {"start.states": [state(5, 4, 3, 2, 1, balance=20)]}),
        ("history", {}),
        ("portfolio", {"initiative.startups": 50}),
    ],
)
def test_no_stream_is_read_twice(experiment, overrides):
    """One exception: each quarter reads the figures of its fiscal year again, which are the same for all four."""
    streams = Audited(1, 0)
    inhabit(study(overrides, experiment), streams)
    assert len(streams.read) > 200
    assert {Purpose.PARAMETER, Purpose.CALL, Purpose.SITE, Purpose.HIRING, Purpose.FISCAL_YEAR} <= {
        purpose for purpose, *_ in streams.read
    }
    twice = {address: times for address, times in streams.read.items() if times > 1}
    assert {purpose for purpose, *_ in twice} <= {Purpose.FISCAL_YEAR}
    assert max(twice.values(), default=1) <= 4


def test_entities_of_sites_are_unique():
    numbers = (0, 1, 2**12, 2**24 - 1)
    entities = {site_entity(origin, batch, number) for origin in Origin for batch in numbers for number in numbers}
    assert len(entities) == len(Origin) * len(numbers) ** 2
    assert max(entities) < 2**64


@pytest.mark.parametrize("experiment", ["portfolio", "history", "official_plan"])
def test_parameters_do_not_share_a_stream(experiment):
    paths = [path for path, _ in walk(study(experiment=experiment))]
    assert len({crc32(path.encode()) for path in paths}) == len(paths)


def test_places_do_not_share_an_outage_stream():
    names = ["Pakistan", *study().regions]
    assert len({crc32(name.encode()) for name in names}) == len(names)

"""Blocks on disk and the tables made of them: the same bytes whatever happened on the way."""

import errno
import json
import os
import random
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import InputError
from sim.results import store as module
from sim.results.digest import table_digest
from sim.results.store import GROUP, Store, to_bytes

A, B = "a" * 64, "b" * 64


def tables(first, last, shift=0):
    """Tables of some replications; number 13 has failed and has no sites."""
    numbers = range(first, last)
    runs = pa.table(
        {
            "replication": pa.array(numbers, pa.int32()),
            "error": pa.array(["bad" if n == 13 else None for n in numbers], pa.string()),
            "x": pa.array([None if n == 13 else n * 0.5 + shift for n in numbers], pa.float64()),
        }
    )
    kept = [n for n in numbers if n != 13 for _ in range(n % 3)]
    made = {"runs": runs}
    if kept:
        made["sites"] = pa.table({"replication": pa.array(kept, pa.int32()), "name": [f"s{n}" for n in kept]})
    return {name: to_bytes(table) for name, table in made.items()}


def fill(path, blocks, keys=(A,), have=None):
    with Store(path) as store:
        store.find(keys, have or {})
        for key, first, last in blocks:
            store.put(key, first, last, tables(first, last, shift=keys.index(key) * 1000))
        described = store.merge(keys)
        store.clear()
        return described


def content(path):
    return {file.name: file.read_bytes() for file in (path / "tables").iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    described = fill(path, [(A, 0, 120)])
    return content(path), described


def cuts(total):
    return st.lists(st.integers(1, total - 1), unique=True).map(lambda marks: [0, *sorted(marks), total])


@settings(max_examples=25)
@given(cuts(120), st.randoms(use_true_random=False))
def test_any_blocks_in_any_order_give_the_same_bytes(tmp_path_factory, whole, marks, chance):
    path = tmp_path_factory.mktemp("cut")
    blocks = [(A, a, b) for a, b in pairwise(marks)]
    chance.shuffle(blocks)
    assert fill(path, blocks) == whole[1]
    assert content(path) == whole[0]
    assert sorted(file.name for file in path.iterdir()) == ["tables"]  # nothing is left beside them


def test_rows_and_digest_are_those_of_the_tables(whole, tmp_path):
    described = fill(tmp_path, [(A, 0, 120)])
    for name, entry in described.items():
        table = pq.read_table(tmp_path / "tables" / f"{name}.parquet")
        assert (entry["rows"], entry["digest"]) == (len(table), table_digest(table))
        assert table.column_names[:2] == ["scenario", "replication"]
    runs = pq.read_table(tmp_path / "tables" / "runs.parquet")
    assert runs["replication"].to_pylist() == list(range(120))
    assert pq.ParquetFile(tmp_path / "tables" / "runs.parquet").num_row_groups == -(-120 // GROUP)


@pytest.mark.parametrize("first", [1, 49, 50, 51, 100, 119])
def test_a_run_that_was_extended_is_as_if_made_in_one_go(tmp_path, whole, first):
    described = fill(tmp_path, [(A, 0, first)])
    with Store(tmp_path) as store:
        store.find([A], described)
        assert store.missing(A, range(120)) == list(range(first, 120))
    assert fill(tmp_path, [(A, first, 120)], have=described) == whole[1]
    assert content(tmp_path) == whole[0]


@pytest.mark.parametrize(("replications", "scenarios", "size"), [(40, 1, 10), (41, 1, 20), (20, 3, 20), (900, 1, 100)])
def test_the_size_of_row_groups_is_by_all_replications_up_to_a_limit(
    tmp_path, monkeypatch, replications, scenarios, size
):
    monkeypatch.setattr(module, "GROUP", 10)
    monkeypatch.setattr(module, "MANY", 40)
    keys = [f"{number}" * 64 for number in range(scenarios)]
    described = fill(tmp_path, [(key, 0, replications) for key in keys], keys)
    assert {entry["size"] for entry in described.values()} == {size}


@pytest.mark.parametrize("size", [0, -50, 1.5, None, "x", [], 2**40, 7])
def test_row_groups_of_an_impossible_size(tmp_path, size):
    described = fill(tmp_path, [(A, 0, 120)])
    for entry in described.values():
        entry["size"] = size
    with Store(tmp_path) as store, pytest.raises(InputError, match=r"manifest.json: is damaged \(row groups of"):
        store.find([A], described)


@pytest.mark.parametrize("first", [40, 90, 119])
def test_of_very_many_replications_the_row_groups_are_larger(tmp_path, monkeypatch, first):
    """A run that was extended is still as if made in one go."""
    fill(tmp_path / "small", [(A, 0, 120)])
    monkeypatch.setattr(module, "GROUP", 10)
    monkeypatch.setattr(module, "MANY", 40)
    described = fill(tmp_path / "once", [(A, 0, 60), (A, 60, 120)])
    assert {entry["size"] for entry in described.values()} == {30}
    assert [group[1:3] for group in described["runs"]["groups"]] == [(0, 29), (30, 59), (60, 89), (90, 119)]
    assert pq.ParquetFile(tmp_path / "once" / "tables" / "runs.parquet").num_row_groups == 4
    earlier = fill(tmp_path / "later", [(A, 0, first)])
    assert fill(tmp_path / "later", [(A, first, 120)], have=earlier) == described
    assert content(tmp_path / "later") == content(tmp_path / "once")
    with Store(tmp_path / "once") as whole:
        whole.find([A], described)
        assert not whole.missing(A, range(120))
        assert whole.merge([A], 7)["sites"]["digest"] == described["sites"]["digest"]
    rows = pq.read_table(tmp_path / "once" / "tables" / "sites.parquet")
    assert rows.equals(pq.read_table(tmp_path / "small" / "tables" / "sites.parquet"))


def test_a_scenario_that_is_added_before_another(tmp_path):
    """Scenarios are found by their key, whatever their number was."""
    once, later = tmp_path / "once", tmp_path / "later"
    fill(once, [(A, 0, 30), (B, 0, 30)], keys=(A, B))
    described = fill(later, [(B, 0, 30)], keys=(B,))
    with Store(later) as store:
        store.find([B], described)
        assert store.missing(B, range(30)) == []
        store.put(A, 0, 30, tables(0, 30))
        store.merge([A, B])
    rows = {path: pq.read_table(path / "tables" / "runs.parquet").drop_columns(["x"]) for path in (once, later)}
    assert rows[once].equals(rows[later])


def test_columns_that_only_some_have(tmp_path):
    with Store(tmp_path) as store:
        store.put(A, 0, 1, {"runs": to_bytes(pa.table({"replication": pa.array([0], pa.int32()), "x": [1.0]}))})
        store.put(B, 0, 1, {"runs": to_bytes(pa.table({"replication": pa.array([0], pa.int32()), "y": [2.0]}))})
        store.merge([A, B])
    runs = pq.read_table(tmp_path / "tables" / "runs.parquet").to_pylist()
    assert runs == [
        {"scenario": 0, "replication": 0, "x": 1.0, "y": None},
        {"scenario": 1, "replication": 0, "x": None, "y": 2.0},
    ]


def failing(error):
    """Of the system: a function that fails with this error."""

    def fail(*_):
        raise OSError(error, os.strerror(error))

    return fail


def unfinished(path, blocks):
    """A folder as a killed process leaves it."""
    with Store(path) as store:
        for first, last in blocks:
            store.put(A, first, last, tables(first, last))


def test_a_killed_run_goes_on(tmp_path, whole):
    unfinished(tmp_path, [(0, 40), (60, 90)])
    with Store(tmp_path) as store:
        store.find([], {})
        assert store.missing(A, range(120)) == [*range(40, 60), *range(90, 120)]
        for first, last in ((40, 60), (90, 120)):
            store.put(A, first, last, tables(first, last))
        assert store.merge([A]) == whole[1]
    assert content(tmp_path) == whole[0]


def test_a_line_that_was_not_finished_does_not_count(tmp_path):
    unfinished(tmp_path, [(0, 40), (40, 90)])
    journal = tmp_path / "parts" / "journal.jsonl"
    journal.write_text(journal.read_text()[:-30])
    with Store(tmp_path) as store:
        store.find([], {})
        assert store.missing(A, range(90)) == list(range(40, 90))
        store.put(A, 40, 90, tables(40, 90))  # the next line is not glued to the torn one
    with Store(tmp_path) as store:
        store.find([], {})
        assert store.missing(A, range(90)) == []


def test_a_flipped_byte_anywhere_in_the_journal_costs_a_block_or_nothing(tmp_path):
    """Each byte in turn, by its lowest and its highest bit."""
    unfinished(tmp_path, [(0, 2), (40, 42)])
    journal = tmp_path / "parts" / "journal.jsonl"
    whole, found = journal.read_bytes(), set()
    for place in range(len(whole)):
        for bit in (1, 128):
            journal.write_bytes(bytes(byte ^ bit * (i == place) for i, byte in enumerate(whole)))
            store = Store(tmp_path)
            store.find([], {})
            there = [n for source in store.sources[A] for n in source.numbers]
            assert set(there) <= {0, 1, 40, 41}
            found.add(tuple(there))
    assert found == {(0, 1, 40, 41), (0, 1), (40, 41)}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"files": {"runs": ["x.parquet", "0"]}}, "x.parquet"),
        ({"files": {"/../../../../x": ["", "0"]}}, "x.parquet"),
        ({"key": "../.."}, "0-2.runs.parquet"),
        ({"last": 2_000_000}, "run/parts/aaaaaaaaaaaaaaaa/0-2000000.runs.parquet"),
        ({"files": []}, "x.parquet"),
    ],
    ids=str,
)
def test_a_journal_names_nothing_but_parts(tmp_path, changes, named):
    """A run folder is sent from one to another: what its journal says must not reach beyond it, or fill the memory."""
    unfinished(tmp_path / "run", [(0, 2)])
    parts = tmp_path / "run" / "parts" / A[:16]
    (parts / "0-2.").mkdir()  # so that there is a way up from it
    (tmp_path / named).write_bytes((parts / "0-2.runs.parquet").read_bytes() if "last" in changes else b"mine")
    there = {path for path in tmp_path.rglob("*") if path.parent != parts}
    journal = tmp_path / "run" / "parts" / "journal.jsonl"
    entry = json.loads(journal.read_text()) | changes
    if "last" in changes:
        del entry["files"]["sites"]  # all that it names is there, and as it says
    journal.write_text(json.dumps(entry))
    with Store(tmp_path / "run") as store:
        store.find([], {})
        assert store.missing(A, [0, 1]) == [0, 1]
        assert not store.sources[A]
    assert {path for path in tmp_path.rglob("*") if path.parent != parts} == there


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_part_is_named_set_aside_and_missing(tmp_path, damage, caplog):
    unfinished(tmp_path, [(0, 40), (40, 90)])
    (file,) = (tmp_path / "parts").glob("*/40-90.runs.parquet")
    bytes_ = bytearray(file.read_bytes())
    if damage == "flip":
        bytes_[len(bytes_) // 2] ^= 1
        file.write_bytes(bytes_)
    elif damage == "cut":
        file.write_bytes(bytes_[:100])
    else:
        file.unlink()
    with Store(tmp_path) as store:
        store.find([], {})
        assert store.missing(A, range(90)) == list(range(40, 90))
    assert str(file) in caplog.text
    assert file.with_name(f"{file.name}.damaged").exists() == (damage != "gone")


def test_a_flipped_byte_anywhere_in_a_table_costs_its_replications_or_nothing(tmp_path, whole, caplog):
    """Never a wrong number: the tables come out as they were, with only the damaged group run again."""
    chance = random.Random(1)
    seen = set()
    for number in range(30):
        path = tmp_path / str(number)
        described = json.loads(json.dumps(fill(path, [(A, 0, 120)])))
        name = chance.choice(["runs", "sites"])
        file = path / "tables" / f"{name}.parquet"
        data = bytearray(file.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(data)
        with Store(path) as store:
            store.find([A], described)
            missing = store.missing(A, range(120))
            seen.add(len(missing))
            for n in missing:
                store.put(A, n, n + 1, tables(n, n + 1))
            store.merge([A])
        assert content(path).keys() >= whole[0].keys()
        for table, bytes_ in whole[0].items():
            assert content(path)[table] == bytes_
    assert len(seen) > 1
    assert "damaged" in caplog.text


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_a_process_killed_between_tables_and_manifest_loses_nothing(tmp_path, whole, renamed, monkeypatch):
    """However many tables were renamed, and if the next is killed while it writes them anew."""
    before = fill(tmp_path, [(A, 0, 70)])
    rename, left = os.replace, [renamed]

    def killed(source, target):
        if target.parent.name == "tables":
            if not left[0]:
                raise SystemExit
            left[0] -= 1
        rename(source, target)

    with Store(tmp_path) as store:
        store.find([A], before)
        store.put(A, 70, 120, tables(70, 120))
        monkeypatch.setattr(module.os, "replace", killed)
        if renamed < 2:
            with pytest.raises(SystemExit):
                store.merge([A])
        else:
            store.merge([A])
        monkeypatch.undo()
    with Store(tmp_path) as store:
        found = store.settle()
        assert found == json.loads(json.dumps({"keys": [A], "tables": whole[1]}))
        assert content(tmp_path) == whole[0]
        (tmp_path / "parts" / "journal.jsonl").unlink()  # they are all in the tables by now
        store.find(**found)
        assert store.missing(A, range(120)) == []
        monkeypatch.setattr(module, "table_digest", failing(errno.ENOSPC))
        with pytest.raises(OSError, match="No space"):
            store.merge([A])
        monkeypatch.undo()
    with Store(tmp_path) as store:
        assert store.settle() is None  # what is half written does not take the place of the tables
        store.find(**found)  # as the manifest has it
        assert store.missing(A, range(120)) == []
        assert store.merge([A]) == whole[1]
        store.clear()
    assert content(tmp_path) == whole[0]
    assert [file.name for file in tmp_path.iterdir()] == ["tables"]


@pytest.mark.parametrize("text", ["{", "[]", '{"keys": []}'])
def test_a_damaged_note_of_a_merge_does_not_count(tmp_path, text, caplog):
    with Store(tmp_path) as store:
        store.merged.write_text(text)
        assert store.settle() is None
    assert f"{tmp_path / 'parts' / 'merged.json'} is damaged" in caplog.text


def test_parts_are_removed_after_the_tables_are_on_the_disk(tmp_path, monkeypatch):
    """Every table before it takes its name, then the note of them, then their names."""
    synced, rename = [], os.replace
    monkeypatch.setattr(module, "sync", lambda path: synced.append(path.name))
    monkeypatch.setattr(module.os, "replace", lambda a, b: (synced.append(f"{b.name}!"), rename(a, b)))
    with Store(tmp_path) as store:
        store.put(A, 0, 20, tables(0, 20))
        assert synced == ["0-20.runs.parquet!", "0-20.sites.parquet!"]  # a lost block is found by its checksum
        synced.clear()
        store.merge([A])
    written = ["runs.part", "sites.part", "merged.part", "merged.json!", "parts"]
    assert synced == ["parts", *written, "runs.parquet!", "sites.parquet!", "tables"]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.ENOSPC, errno.EIO])
def test_a_folder_that_cannot_be_synced_is_not_an_error_and_a_full_disk_is(tmp_path, error, monkeypatch):
    monkeypatch.setattr(module.os, "fsync", failing(error))
    with Store(tmp_path) as store:
        store.put(A, 0, 20, tables(0, 20))
        if error in (errno.EINVAL, errno.ENOTSUP):
            store.merge([A])
        else:
            with pytest.raises(OSError, match=os.strerror(error)):
                store.merge([A])
            assert not list(tmp_path.glob("tables/*.parquet"))


def test_footers_are_read_once_however_many_groups_there_are(tmp_path, monkeypatch):
    described = fill(tmp_path, [(A, 0, 400)])
    opened, real = [], pq.ParquetFile
    monkeypatch.setattr(module.pq, "ParquetFile", lambda file: opened.append(file.name) or real(file))
    with Store(tmp_path) as store:
        store.find([A], described)
        store.runs(A, 400)
        store.merge([A])
    assert sorted(opened) == ["runs.parquet", "sites.parquet"]


@pytest.mark.parametrize("cleared", [0, 1])
def test_a_process_killed_before_it_had_removed_the_parts_counts_nothing_twice(tmp_path, whole, cleared):
    """Tables and manifest are complete, and some or all parts still there."""
    with Store(tmp_path) as store:
        store.find([], {})
        for first, last in ((0, 40), (40, 120)):
            store.put(A, first, last, tables(first, last))
        described = store.merge([A])
        if cleared:
            (next((tmp_path / "parts").glob("*/0-40.sites.parquet"))).unlink()
    with Store(tmp_path) as store:
        store.find([A], described)
        assert store.missing(A, range(120)) == []
        assert store.merge([A]) == whole[1]
    assert content(tmp_path) == whole[0]


def test_a_gap_in_the_tables_of_an_interrupted_run_is_filled(tmp_path, whole):
    """Blocks finish in any order; those in between are not taken to be there."""
    described = fill(tmp_path, [(A, 0, 20), (A, 30, 60), (A, 90, 120)])
    with Store(tmp_path) as store:
        store.find([A], described)
        missing = store.missing(A, range(120))
        assert missing == [*range(20, 30), *range(60, 90)]
        for n in missing:
            store.put(A, n, n + 1, tables(n, n + 1))
        assert store.merge([A]) == whole[1]
    assert content(tmp_path) == whole[0]


def test_two_processes_on_one_folder(tmp_path):
    with Store(tmp_path), pytest.raises(InputError, match=rf"another process \({os.getpid()}\)"), Store(tmp_path):
        pass
    with Store(tmp_path):  # free again
        pass


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_written_to_with_one_warning(tmp_path, error, monkeypatch, caplog):
    module._unlocked.cache_clear()
    monkeypatch.setattr(module.fcntl, "flock", failing(error))
    for name in ("a", "b"):
        fill(tmp_path / name, [(A, 0, 20)])
        assert [file.name for file in (tmp_path / name).iterdir()] == ["tables"]
    said = f"folders of runs are not locked ({os.strerror(error)}): see that no two processes write to one"
    assert caplog.messages == [said]


def test_a_lock_that_fails_for_another_reason_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module.fcntl, "flock", failing(errno.EIO))
    with pytest.raises(InputError, match=r"out: cannot lock .* \(Input/output error\)"), Store(tmp_path):
        pass


def test_a_failed_write_leaves_earlier_blocks(tmp_path, monkeypatch):
    unfinished(tmp_path, [(0, 40)])
    with Store(tmp_path) as store:
        store.find([], {})
        monkeypatch.setattr(module.os, "replace", failing(errno.ENOSPC))
        with pytest.raises(OSError, match="No space"):
            store.put(A, 40, 50, tables(40, 50))
        monkeypatch.undo()
    with Store(tmp_path) as store:
        store.find([], {})
        assert store.missing(A, range(50)) == list(range(40, 50))


def test_the_journal_can_be_read(tmp_path):
    unfinished(tmp_path, [(0, 40)])
    (entry,) = map(json.loads, filter(None, (tmp_path / "parts" / "journal.jsonl").read_text().splitlines()))
    assert (entry["key"], entry["first"], entry["last"]) == (A, 0, 40)
    assert set(entry["files"]) == {"runs", "sites"}

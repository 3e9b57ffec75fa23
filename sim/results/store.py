"""Where finished replications are kept while a study runs, and how they become the tables of its folder.

    DIR/parts/KEY/FIRST-LAST.TABLE.parquet   replications FIRST to LAST - 1 of the scenario KEY, written whole
    DIR/parts/journal.jsonl                  a line for each finished block: key, range, checksum of every file
    DIR/tables/TABLE.part                    all of them, sorted by scenario and replication, while they are written
    DIR/parts/merged.json                    what is in these: from here on they are the tables, renamed or not
    DIR/tables/TABLE.parquet                 the tables; once the manifest describes them, the parts are gone

KEY is the digest of a scenario's configuration, so that what is there is found again whatever the order of the
scenarios. A file counts if the journal names it and its checksum agrees. Tables of an earlier, smaller run of the
same scenarios count as well: each row group holds up to `GROUP` replications of one scenario (more where there are
very many, see `MANY`), and the manifest has the digest of each. Between the first table that is renamed and the
manifest that describes it, merged.json has them.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from errno import EINVAL, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP
from functools import cache, lru_cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sim.errors import InputError, why
from sim.results.digest import TableDigest, table_digest
from sim.results.tables import with_scenario

log = logging.getLogger(__name__)
GROUP = 50
"""Replications of a scenario in a row group of the final tables, so that their bytes do not depend on the blocks."""
MANY = 10_000
"""Of more replications, of all scenarios, row groups are larger in proportion, up to ten times: what Parquet keeps of
each while it writes, and the footer that it reads, are memory too (`make bench`: what a merge takes)."""
TABLES = ("runs", "monthly", "sites")
MOST = 10**6
"""Replications of a study."""
NOT_OFFERED = (EINVAL, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP)
"""Errors of a file system that has no locks, or cannot sync a folder: some that are shared by several machines."""


def to_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


@dataclass(frozen=True, slots=True)
class Source:
    """Finished replications `first` to `last` - 1 of a scenario, in part files or in row groups of earlier tables."""

    key: str
    first: int
    last: int
    files: Mapping[str, Path]
    group: Mapping[str, int] | None = None  # row group by table; None: the whole file
    only: frozenset[int] | None = None  # replications that count; None: all

    @property
    def numbers(self) -> frozenset[int]:
        """Its replications."""
        return frozenset(range(self.first, self.last)) if self.only is None else self.only

    def schema(self, name: str) -> pa.Schema | None:
        """Columns of one of its tables, or None if it has none."""
        if name not in self.files:
            return None
        if self.group is None:
            return pq.read_schema(self.files[name])
        return _opened(self.files[name]).schema_arrow.remove(0)  # the number of the scenario

    def read(self, name: str) -> pa.Table:
        """One of its tables, without the number of the scenario."""
        if self.group is None:
            table = pq.read_table(self.files[name])
        else:
            table = _opened(self.files[name]).read_row_group(self.group[name]).drop_columns(["scenario"])
        if self.only is None:
            return table
        return table.filter(pa.array(np.isin(table.column("replication").to_numpy(), list(self.only))))


class Store:
    """The results of one run folder; hold it open while writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts = path / "parts"
        self.merged = self.parts / "merged.json"
        self.sources: defaultdict[str, list[Source]] = defaultdict(list)  # by key
        self._lock: int | None = None

    def __enter__(self) -> Store:
        """Lock the folder, or raise InputError if another process writes to it."""
        try:
            self.parts.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.parts / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(f"out: cannot write to {self.path} ({why(error)})") from None
        except ValueError as error:  # a NUL
            raise InputError(f"out: cannot write to {str(self.path)!r} ({error})") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
            os.close(self._lock)
            raise InputError(f"out: another process ({other}) is writing to {self.path}") from None
        except OSError as error:
            if error.errno not in NOT_OFFERED:
                os.close(self._lock)
                raise InputError(f"out: cannot lock {self.path} ({why(error)})") from None
            _unlocked(why(error))
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock the folder; once everything is in the tables there is nothing left beside them."""
        if self._lock is not None:
            if {file.name for file in self.parts.iterdir()} == {"lock"}:
                shutil.rmtree(self.parts)
            os.close(self._lock)

    def find(self, keys: Sequence[str], tables: Mapping[str, Mapping[str, Any]]) -> None:
        """Take stock: parts the journal names, then row groups of earlier tables; whatever is damaged is set aside.

        What is in both, as when a process was killed before it had removed the parts, counts once.

        `keys` are those of the scenarios of the earlier tables, in order, and `tables` what `merge` said of them.
        """
        self.sources.clear()
        _opened.cache_clear()
        self._take((*self._journalled(), *self._tabled(keys, tables)))

    def _take(self, sources: Iterable[Source]) -> None:
        """Count these in, but for the replications that are there already."""
        taken = defaultdict[str, set[int]](set)
        for key, there in self.sources.items():
            taken[key].update(*(one.numbers for one in there))
        for source in sources:
            if new := source.numbers - taken[source.key]:
                self.sources[source.key].append(source if new == source.numbers else replace(source, only=new))
            taken[source.key] |= new

    def _part(self, key: str, first: int, last: int, table: str) -> Path:
        return self.parts / key[:16] / f"{first}-{last}.{table}.parquet"

    def _journalled(self) -> Iterator[Source]:
        journal = self.parts / "journal.jsonl"
        for line in journal.read_text(encoding="utf-8", errors="replace").splitlines() if journal.exists() else ():
            try:
                entry = json.loads(line)
                key, first, last = str(entry["key"]), int(entry["first"]), int(entry["last"])
                digests = {name: digest for name, (_, digest) in entry["files"].items()}
            except (ValueError, KeyError, TypeError, AttributeError):  # empty, damaged, or torn by a kill
                continue
            if not (re.fullmatch("[0-9a-f]+", key) and set(digests) <= set(TABLES) and 0 < last - first <= MOST):
                continue  # it would name files elsewhere, or more replications than there may be
            files = {name: self._part(key, first, last, name) for name in digests}
            damaged = [files[name] for name, digest in digests.items() if _checksum(files[name]) != digest]
            for file in damaged if self._lock is not None else ():  # what is only looked at stays as it is
                set_aside(file)
            if not damaged:
                yield Source(key, first, last, files)

    def _tabled(self, keys: Sequence[str], tables: Mapping[str, Mapping[str, Any]]) -> Iterator[Source]:
        files = {name: self.path / "tables" / f"{name}.parquet" for name in tables}
        groups = defaultdict[tuple[int, int], dict[str, int]](dict)
        numbers: dict[tuple[int, int], frozenset[int]] = {}
        damaged: set[tuple[int, int]] = set()
        for name, file in files.items():
            size = group_size(tables[name])
            for number, (scenario, first, last, digest) in enumerate(tables[name]["groups"]):
                block = (scenario, first // size)
                groups[block][name] = number
                found = _intact(file, number, digest)
                if found is None:
                    damaged.add(block)
                    log.warning("%s: replications %d to %d are damaged and run again", file, first, last)
                elif name == "runs":  # every replication has a row there
                    numbers[block] = frozenset(found.column("replication").to_pylist())
        for block, only in numbers.items():
            if block not in damaged:  # of a run that was interrupted, a group may lack some in between
                yield Source(keys[block[0]], min(only), max(only) + 1, files, groups[block], only)

    def add(self, other: Path, manifest: Mapping[str, Any]) -> None:
        """Take what a folder with some replications of the same scenarios has into account; it stays as it is."""
        store = Store(other)
        store.find([scenario["key"] for scenario in manifest["scenarios"]], manifest["tables"])
        self._take(chain.from_iterable(store.sources.values()))

    def missing(self, key: str, replications: Sequence[int]) -> list[int]:
        """Which of these replications of a scenario are not there yet."""
        there: set[int] = set()
        for source in self.sources[key]:
            there |= source.numbers
        return [number for number in replications if number not in there]

    def runs(self, key: str, last: int) -> pa.Table:
        """Rows of tables/runs of the replications of a scenario below `last`, in order and each once."""
        sources = sorted((one for one in self.sources[key] if one.first < last), key=lambda one: one.first)
        table = pa.concat_tables([one.read("runs") for one in sources], promote_options="default")
        replications, rows = np.unique(table.column("replication").to_numpy(), return_index=True)
        return table.take(rows[replications < last])

    def put(self, key: str, first: int, last: int, tables: Mapping[str, bytes]) -> None:
        """Keep a finished block: every file written whole and renamed into place, then a line in the journal."""
        files: dict[str, tuple[str, str]] = {}
        for name, content in tables.items():
            file = self._part(key, first, last, name)
            file.parent.mkdir(exist_ok=True)
            write_whole(file, content, lasting=False)  # a block that a power cut takes is found by its checksum
            files[name] = (str(file.relative_to(self.path)), sha256(content).hexdigest())
        line = json.dumps({"key": key, "first": first, "last": last, "files": files})
        with (self.parts / "journal.jsonl").open("a", encoding="utf-8") as journal:
            journal.write(f"\n{line}\n")  # the line before may be torn
        paths = {name: self.path / file for name, (file, _) in files.items()}
        self.sources[key].append(Source(key, first, last, paths))

    def merge(self, keys: Sequence[str], size: int | None = None) -> dict[str, dict[str, Any]]:
        """Make the tables of the folder from all that is there, scenario by scenario; rows and digests of each.

        `size` is that of the row groups, in replications, if it should not be that of a run of so many.

        Whoever is killed before the manifest has these finds them by `settle`.
        """
        # What it said is in the manifest, and what comes now is not what it describes.
        self.merged.unlink(missing_ok=True)
        sync(self.parts)
        described = {}
        replications = sum(max((one.last for one in self.sources[key]), default=0) for key in keys)
        size = size or GROUP * min(10, max(1, -(-replications // MANY)))
        for name in TABLES:
            schemas = [schema for source in self._ordered(keys) if (schema := source[1].schema(name))]
            if schemas:
                described[name] = self._write(name, _union(schemas), keys, size)
        write_whole(self.merged, json.dumps({"keys": keys, "tables": described}).encode())
        self._rename(described)
        return described

    def settle(self) -> dict[str, Any] | None:
        """End what a process that was killed had begun: `keys` and `tables` of its merge; None if there was none."""
        if not self.merged.exists():
            return None
        try:
            merged = json.loads(self.merged.read_text(encoding="utf-8"))
            found = {"keys": merged["keys"], "tables": merged["tables"]}
        except (ValueError, KeyError, TypeError):
            set_aside(self.merged)
            return None
        self._rename(found["tables"])
        return found

    def _rename(self, names: Iterable[str]) -> None:
        tables = self.path / "tables"
        for name in names:
            if (part := tables / f"{name}.part").exists():
                os.replace(part, tables / f"{name}.parquet")
        if tables.exists():
            sync(tables)
        _opened.cache_clear()  # files that are no longer there

    def clear(self) -> None:
        """Remove the parts: they are in the tables, and the manifest says so."""
        self.sources.clear()
        (self.parts / "journal.jsonl").unlink(missing_ok=True)  # first: it names no part that is gone
        for one in self.parts.iterdir():
            if one.is_dir():
                shutil.rmtree(one)
            elif one.name != "lock":
                one.unlink()

    def _ordered(self, keys: Sequence[str]) -> Iterator[tuple[int, Source]]:
        """(scenario, source) in the order of scenario and replication."""
        for scenario, key in enumerate(keys):
            for source in sorted(self.sources[key], key=lambda one: one.first):
                yield scenario, source

    def _write(self, name: str, schema: pa.Schema, keys: Sequence[str], size: int) -> dict[str, Any]:
        digest = TableDigest()
        schema = schema.insert(0, pa.field("scenario", pa.int32()))
        file = self.path / "tables" / f"{name}.part"
        file.parent.mkdir(exist_ok=True)
        groups: list[tuple[int, int, int, str]] = []
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for scenario, number, pieces in self._grouped(name, keys, size):
                table = with_scenario(pa.concat_tables(pieces, promote_options="default"), scenario)
                replication = table.column("replication").to_numpy()
                table = table.filter(pa.array(replication // size == number))
                replication = table.column("replication").to_numpy()
                if (np.diff(replication) < 0).any():  # one source fills a gap of another
                    table = table.take(np.argsort(replication, kind="stable"))
                missing = [field for field in schema if field.name not in table.column_names]
                for field in missing:
                    table = table.append_column(field, pa.nulls(len(table), field.type))
                table = table.select(schema.names).combine_chunks()
                if len(table):
                    writer.write_table(table, row_group_size=len(table))
                    digest.update(table)
                    numbers = table.column("replication").to_numpy()
                    groups.append((scenario, int(numbers[0]), int(numbers[-1]), table_digest(table)[:16]))
        sync(file)
        return {"rows": digest.rows, "digest": digest.hexdigest(), "size": size, "groups": groups}

    def _grouped(self, name: str, keys: Sequence[str], size: int) -> Iterator[tuple[int, int, list[pa.Table]]]:
        """(scenario, number of the group, tables that hold some of its replications), in order."""
        pending: list[tuple[int, pa.Table]] = []  # last replication, table
        scenario, number = 0, 0
        for at, source in self._ordered(keys):
            while pending and (at, source.first // size) != (scenario, number):
                yield scenario, number, [table for _, table in pending]
                number += 1
                pending = [(last, table) for last, table in pending if last > number * size]
            if not pending:
                scenario, number = at, source.first // size
            if name in source.files and (source.group is None or name in source.group):
                pending.append((source.last, source.read(name)))
        while pending:
            yield scenario, number, [table for _, table in pending]
            number += 1
            pending = [(last, table) for last, table in pending if last > number * size]


def group_size(described: Mapping[str, Any]) -> int:
    """Replications that a row group of a table holds, from what `merge` said of it.

    Raises
    ------
    InputError
        If that cannot be so.
    """
    size = described.get("size", 50)  # before it was said
    try:
        groups = described["groups"]
        possible = size in range(1, MOST + 1) and all(first // size == last // size for _, first, last, _ in groups)
    except (KeyError, TypeError, ValueError):
        possible = False
    if not possible:
        raise InputError(f"manifest.json: is damaged (row groups of {size!r} replications)")
    return int(size)


def write_whole(file: Path, content: bytes, lasting: bool = True) -> None:
    """Write a file whole and rename it into place; a power cut leaves what was there or, from here on, this."""
    part = file.with_suffix(".part")
    part.write_bytes(content)
    if lasting:
        sync(part)
    os.replace(part, file)
    if lasting:
        sync(file.parent)


def sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk itself."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise
    finally:
        os.close(opened)


def set_aside(file: Path) -> None:
    """Rename a damaged file, say so, and go on without it."""
    log.warning("%s is damaged or missing: its replications are run again", file)
    if file.exists():
        os.replace(file, file.with_name(f"{file.name}.damaged"))


def _checksum(file: Path) -> str:
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


@lru_cache(maxsize=len(TABLES))  # its footer, of all row groups, is read once for all of them
def _opened(file: Path) -> pq.ParquetFile:
    return pq.ParquetFile(file)


def _intact(file: Path, number: int, digest: str) -> pa.Table | None:
    """A row group, or None if its content is not what its digest says."""
    try:
        table = _opened(file).read_row_group(number)
        return table if table_digest(table)[:16] == digest else None
    except (OSError, pa.ArrowException, IndexError, ValueError):  # whatever a flipped bit may lead to
        return None


@cache
def _unlocked(reason: str) -> None:
    """Say, once, that folders are not locked."""
    log.warning("folders of runs are not locked (%s): see that no two processes write to one", reason)


def _union(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """All columns of some tables, in the order in which they come up."""
    return pa.unify_schemas(list(dict.fromkeys(schemas)))

"""Reading dated observations: what was counted, of what, and on which day."""

import csv
import re
from collections.abc import Iterator
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

from sim.errors import InputError

COLUMNS = ("series", "date", "value", "low", "high", "role", "fact_ids", "note")
"""Columns of a file of observations; `low` and `high`, which bound the value, may be empty in it."""
NUMBERS = ("value", "low", "high")
MOST = 1e12
ROLES = ("calibration", "validation", "comparator", "")


def read(file: Path) -> list[dict[str, Any]]:
    """Observations of a file: texts (the date in ISO form), with `value`, `low` and `high` as numbers or None.

    Raises
    ------
    InputError
        With a line for each mistake in the file.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: should be a CSV file in UTF-8 ({error})") from None
    if not lines:
        raise InputError(f"{file}: is empty; should have the columns {','.join(COLUMNS)}")
    columns = lines[0][1]
    if twice := next((name for name in columns if columns.count(name) > 1), None):
        raise InputError(f"{file}: line 1: should name each column once (twice: {twice})")
    if missing := [name for name in COLUMNS if name not in columns]:
        raise InputError(f"{file}: line 1: should have the columns {','.join(COLUMNS)} (missing: {', '.join(missing)})")
    if len(lines) == 1:
        raise InputError(f"{file}: holds no observation, only the names of the columns")
    rows, wrong = [], []
    seen: dict[tuple[str | None, str | None], int] = {}
    for line, cells in lines[1:]:
        row = dict(zip(columns, map(str.strip, cells), strict=False))
        if len(cells) == len(columns):
            mistakes = list(_mistakes(row))
        else:
            mistakes = [f"should have {len(columns)} cells, a text with a comma in quotes (got {len(cells)})"]
        wrong += [f"{file}: line {line}: {mistake}" for mistake in mistakes]
        key = (row.get("series"), row.get("date"))
        if not mistakes and key in seen:
            wrong.append(f"{file}: line {line}: is of the same series and date as line {seen[key]}")
        seen.setdefault(key, line)
        if not mistakes:
            rows.append({name: _number(row[name]) if name in NUMBERS else row[name] for name in COLUMNS})
    if wrong:
        raise InputError("\n".join(wrong))
    return rows


def _mistakes(row: dict[str, str]) -> Iterator[str]:
    """What is wrong with an observation: column, what is allowed, and what is there."""
    if not row["series"]:
        yield "series: should say what was counted (got '')"
    if not _is_date(row["date"]):
        yield f"date: should be a date such as 2025-11-14 (got {row['date']!r})"
    value, low, high = (_number(row[name]) for name in NUMBERS)
    for name, number in zip(NUMBERS, (value, low, high), strict=True):
        if number is None and (row[name] or name == "value"):
            yield f"{name}: should be a number{'' if name == 'value' else ' or empty'} (got {row[name]!r})"
    for name, number in zip(NUMBERS, (value, low, high), strict=True):
        if number is not None and not 0 <= number <= MOST:
            yield f"{name}: should be between 0 and {MOST:g} (got {row[name]!r})"
    if row["role"] not in ROLES:
        yield f"role: should be one of {', '.join(ROLES[:-1])}, or empty (got {row['role']!r})"
    if value is not None and low is not None and low > value:
        yield f"low: should be at most the value, {row['value']} (got {row['low']!r})"
    if value is not None and high is not None and high < value:
        yield f"high: should be at least the value, {row['value']} (got {row['high']!r})"


def _number(text: str) -> float | None:
    """The finite number that a text says, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _is_date(text: str) -> bool:
    try:
        return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False

"""The digest of a table is that of its content."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.results.digest import table_digest


def table(**changes):
    columns = {
        "n": pa.array([1, 2, None], pa.int32()),
        "x": pa.array([0.5, None, 0.0]),
        "day": pa.array([date(2027, 12, 31), None, date(1970, 1, 1)], pa.date32()),
        "text": pa.array(["a", None, ""]),
        "yes": pa.array([True, False, None]),
    }
    return pa.table(columns | changes)


def test_storage_does_not_matter(tmp_path):
    for codec in ("zstd", "none"):
        pq.write_table(table(), tmp_path / "t.parquet", compression=codec, row_group_size=1)
        assert table_digest(pq.read_table(tmp_path / "t.parquet")) == table_digest(table())
    assert table_digest(pa.concat_tables([table().slice(0, 1), table().slice(1)])) == table_digest(table())


@pytest.mark.parametrize(
    "change",
    [
        {"n": pa.array([1, 3, None], pa.int32())},
        {"n": pa.array([1, 2, 0], pa.int32())},
        {"n": pa.array([1, 2, None], pa.int64())},
        {"x": pa.array([0.5, 0.0, 0.0])},
        {"x": pa.array([0.5, None, 5e-324])},
        {"day": pa.array([date(2027, 12, 30), None, date(1970, 1, 1)], pa.date32())},
        {"day": pa.array([date(2027, 12, 31), date(1970, 1, 1), None], pa.date32())},
        {"text": pa.array(["a", "", None])},
        {"text": pa.array(["", "a", None])},
        {"yes": pa.array([True, None, False])},
        {"more": pa.array([1, 1, 1])},
    ],
    ids=lambda change: " ".join(f"{name} {column.type} {column.to_pylist()}" for name, column in change.items()),
)
def test_content_does(change):
    assert table_digest(table(**change)) != table_digest(table())


def test_order_of_rows_and_columns_does():
    assert table_digest(table().take([1, 0, 2])) != table_digest(table())
    assert table_digest(table().select(["x", "n", "day", "text", "yes"])) != table_digest(table())

"""Digest of a table's content: columns, types and values in order, not the bytes of the file."""

from hashlib import sha256
from typing import Any

import pyarrow as pa


class TableDigest:
    """SHA-256 over the names, types, nulls and values of a table's columns, fed piece by piece.

    Independent of how the table is cut into pieces, chunks or row groups, or compressed on disk.
    """

    def __init__(self) -> None:
        self._columns: dict[tuple[str, str], tuple[Any, Any]] = {}
        self.rows = 0

    def update(self, table: pa.Table) -> None:
        """Add the next rows; all pieces have the same columns."""
        self.rows += len(table)
        for name in table.column_names:
            column = table.column(name).combine_chunks()
            nulls, values = self._columns.setdefault((name, str(column.type)), (sha256(), sha256()))
            nulls.update(column.is_null().to_numpy(zero_copy_only=False).tobytes())
            if pa.types.is_string(column.type):
                for value in column.to_pylist():
                    values.update(b"" if value is None else f"{len(value)}:{value};".encode())
            else:
                # Dates as days, nulls as zero: the null mask above tells them apart.
                plain = column.cast(pa.int32()) if pa.types.is_date32(column.type) else column
                zero = False if pa.types.is_boolean(plain.type) else 0
                values.update(plain.fill_null(zero).to_numpy(zero_copy_only=False).tobytes())

    def hexdigest(self) -> str:
        """Digest of what has been added so far."""
        whole = sha256(f"{self.rows};".encode())
        for (name, kind), (nulls, values) in self._columns.items():
            whole.update(f"{name}:{kind}:{nulls.hexdigest()}:{values.hexdigest()};".encode())
        return whole.hexdigest()


def table_digest(table: pa.Table) -> str:
    """Digest of a whole table."""
    digest = TableDigest()
    digest.update(table)
    return digest.hexdigest()

"""Digest of a table's content: columns, types and values in order, not the bytes of the file."""

from hashlib import sha256

import pyarrow as pa


def table_digest(table: pa.Table) -> str:
    """SHA-256 over the names, types, nulls and values of the columns, in their order.

    Independent of how the table is cut into chunks or compressed on disk.
    """
    digest = sha256()
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        digest.update(f"{name}:{column.type}:{len(column)};".encode())
        digest.update(column.is_null().to_numpy(zero_copy_only=False).tobytes())
        if pa.types.is_string(column.type):
            for value in column.to_pylist():
                digest.update(b"" if value is None else f"{len(value)}:{value};".encode())
        else:
            # Dates as days, nulls as zero: the null mask above tells them apart.
            plain = column.cast(pa.int32()) if pa.types.is_date32(column.type) else column
            zero = False if pa.types.is_boolean(plain.type) else 0
            digest.update(plain.fill_null(zero).to_numpy(zero_copy_only=False).tobytes())
    return digest.hexdigest()

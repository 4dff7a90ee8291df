"""Cost and usage files (Parquet) in a folder or below an s3:// prefix, read with DuckDB.

DuckDB has no network and no extensions here: files of S3 are fetched by the suite's own AWS client into a
bounded temporary folder, and the engine may open that folder or the configured one and nothing else.
"""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from aiops_cost.clients.split_query import DUCKDB, Question, query
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import (
    AnswerTooLargeError,
    NotConfiguredError,
    NotFoundError,
    UpstreamError,
    UpstreamTimeoutError,
)

if TYPE_CHECKING:
    import duckdb

THING: Final = "cost and usage files"
INSTALL: Final = "pip install 'eks-aiops[cur]'"
MOST_FILES, MOST_BYTES, PIECE_BYTES = 500, 2 * 1024**3, 16 * 1024**2
MEMORY, TEMPORARY = "256MB", "1GB"
DEADLINE_S = 40.0
MOST_ROWS = 50_000
Row = tuple[Any, ...]


async def read_folder(place: str, asked: Question) -> tuple[list[Row], str]:
    """The rows of files below a folder, and what was read. Raises NotConfiguredError, NotFoundError,
    UpstreamError for files that cannot be read.
    """
    root, files, size = await anyio.to_thread.run_sync(_listed, place, asked)
    _require(files, size, asked)
    return await _asked(root, files, asked), f"{len(files)} Parquet files"


def _listed(place: str, asked: Question) -> tuple[Path, list[Path], int]:
    """The files of the period that lie below the folder, links out of it left out, and their bytes."""
    root = Path(place).expanduser()
    if not root.is_dir():
        raise NotConfiguredError("AIOPS_COST_CUR", f"{place[:200]} is no folder", "a folder of Parquet files")
    inside = root.resolve()
    found = [
        path for path in sorted(root.rglob("*.parquet")) if of_months(str(path.relative_to(root)), asked)
    ]
    files = [path for path in found if path.is_file() and inside in path.resolve().parents]
    return root, files, sum(path.stat().st_size for path in files)


async def read_bucket(
    aws: AwsClients, target: AwsTarget, place: str, asked: Question
) -> tuple[list[Row], str]:
    """The same below an `s3://bucket/prefix`."""
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    listed = await aws.every(
        target, "s3", "list_objects_v2", "Contents", at_most=10_000, Bucket=bucket, Prefix=prefix
    )
    objects = [
        (str(one["Key"]), int(one.get("Size") or 0))
        for one in listed.items
        if str(one["Key"]).endswith(".parquet") and of_months(str(one["Key"]), asked)
    ]
    size = sum(count for _, count in objects)
    _require(objects, size, asked)
    with tempfile.TemporaryDirectory(prefix="aiops-cur-") as folder:
        root, files = Path(folder), list[Path]()
        for place_, (key, count) in enumerate(objects):
            files.append(root / f"{place_}.parquet")
            await _fetched(aws, target, (bucket, key, count), files[-1])
        return await _asked(root, files, asked), f"{len(files)} Parquet files, {size / 1e6:.1f} MB of S3"


def of_months(path: str, asked: Question) -> bool:
    """Whether a file may hold days that are asked for: exports lie below `BILLING_PERIOD=2026-10`."""
    for part in path.split("/"):
        name, _, month = part.partition("=")
        if name.lower() == "billing_period" and len(month) == len("2026-10"):
            return f"{asked.first:%Y-%m}" <= month <= f"{asked.end:%Y-%m}"
    return True


def _require(files: Sequence[object], size: int, asked: Question) -> None:
    if not files:
        raise NotFoundError(THING, f"there is no Parquet file of {asked.first}..{asked.end}")
    if len(files) > MOST_FILES or size > MOST_BYTES:
        raise AnswerTooLargeError(
            THING, f"{len(files)} files of {size / 1e9:.1f} GB", "a shorter period, or athena:database.table"
        )


async def _fetched(aws: AwsClients, target: AwsTarget, wanted: tuple[str, str, int], into: Path) -> None:
    """One object in pieces, each within the deadline of a call."""
    bucket, key, size = wanted
    async with await anyio.open_file(into, "wb") as file:
        for start in range(0, size, PIECE_BYTES):
            last = min(size, start + PIECE_BYTES) - 1

            def act(asked: str = f"bytes={start}-{last}") -> bytes:
                got = aws.client("s3", target).get_object(Bucket=bucket, Key=key, Range=asked)
                return bytes(got["Body"].read())

            await file.write(await aws.run(f"AWS s3 in {target}", act))


async def _asked(root: Path, files: Sequence[Path], asked: Question) -> list[Row]:
    connection = _open(root)
    try:
        with anyio.fail_after(DEADLINE_S):
            return await anyio.to_thread.run_sync(_rows, connection, files, asked, abandon_on_cancel=True)
    except TimeoutError as error:
        connection.interrupt()
        raise UpstreamTimeoutError(
            THING, f"were not read within {DEADLINE_S:g} s", "a shorter period, or athena:database.table"
        ) from error


def _open(root: Path) -> "duckdb.DuckDBPyConnection":
    """An engine that may open this folder and nothing else, and whose settings are locked."""
    try:
        import duckdb
    except ImportError as error:
        raise NotConfiguredError("AIOPS_COST_CUR", "reading Parquet files needs DuckDB", INSTALL) from error
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY,
            "threads": 2,
            "max_temp_directory_size": TEMPORARY,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    inside = str(root.resolve()).replace("'", "''")  # SET takes no bound values
    connection.execute(f"SET allowed_directories = ['{inside}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _rows(connection: "duckdb.DuckDBPyConnection", files: Sequence[Path], asked: Question) -> list[Row]:
    import duckdb

    names = [str(path.resolve()) for path in files]
    source = "read_parquet(?, union_by_name = true)"
    try:
        told = connection.execute(
            f"DESCRIBE SELECT * FROM {source}",  # noqa: S608 - a constant
            [names],
        ).fetchall()
        whole = Question(
            asked.cluster, asked.first, asked.end, asked.tags, asked.metric, {row[0] for row in told}
        )
        text, values = query(whole, DUCKDB, source)
        rows = connection.execute(text, [names, *values]).fetchmany(MOST_ROWS + 1)
    except duckdb.Error as error:
        reason = " ".join(str(error).replace(str(files[0].parent), "…").split())[:200]
        raise UpstreamError(THING, f"cannot be read: {reason}", "check the export's files") from error
    finally:
        with suppress(duckdb.Error):
            connection.close()
    if len(rows) > MOST_ROWS:
        raise AnswerTooLargeError(THING, f"more than {MOST_ROWS:,} groups", "a shorter period")
    return rows

"""A real Prometheus for tests: its past made by promtool, served on loopback. Skips where there is none.

    async with prometheus(tmp_path, openmetrics(signals, since_s, until_s)) as url: ...

`openmetrics` renders any signals of the lab; texts of OpenMetrics do as well. CI installs Debian's package.
"""

import shutil
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest

from aiops_lab.telemetry.signals import Signal, scrapes

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="no prometheus and promtool on PATH"
)
READY_S = 15.0


def openmetrics(signals: Iterable[Signal], since_s: float, until_s: float, step_s: int = 60) -> str:
    """The signals' samples as OpenMetrics, untyped: what promtool makes blocks of."""
    times = scrapes(since_s, until_s, step_s)
    rows: dict[str, list[str]] = {}
    for signal in signals:
        labels = ",".join(f'{name}="{escaped(value)}"' for name, value in sorted(signal.labels.items()))
        values = signal.read(times)
        kept = rows.setdefault(signal.metric, [])
        kept += [
            f"{signal.metric}{{{labels}}} {value!r} {at:.3f}"
            for at, value in zip(times.tolist(), values.tolist(), strict=True)
            if not np.isnan(value)
        ]
    lines = [line for metric, found in rows.items() for line in (f"# TYPE {metric} unknown", *found)]
    return "\n".join([*lines, "# EOF", ""])


def escaped(value: str) -> str:
    """A label's value in OpenMetrics."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@asynccontextmanager
async def prometheus(
    folder: Path, text: str = "", *, rules: str = "", arguments: Iterable[str] = ()
) -> AsyncIterator[str]:
    """Its URL while it runs. `rules`: YAML of rule groups."""
    assert PROMETHEUS is not None
    assert PROMTOOL is not None
    data = folder / "data"
    data.mkdir(parents=True)
    if text:
        (folder / "past.om").write_text(text, encoding="utf-8")
        await anyio.run_process(
            [PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", str(folder / "past.om"), str(data)]
        )
    config = folder / "prometheus.yml"
    config.write_text("global: {evaluation_interval: 1s}\n", encoding="utf-8")
    if rules:
        (folder / "rules.yml").write_text(rules, encoding="utf-8")
        config.write_text(config.read_text(encoding="utf-8") + "rule_files: [rules.yml]\n", encoding="utf-8")
    port = free_port()
    command = [
        PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
        *arguments,
    ]
    async with await anyio.open_process(command, stdout=None, stderr=None) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            await ready(url)
            yield url
        finally:
            process.terminate()


async def ready(url: str) -> None:
    """Wait until it answers queries."""
    async with httpx.AsyncClient(trust_env=False) as client:
        with anyio.fail_after(READY_S):
            while True:
                try:
                    if (await client.get(f"{url}/-/ready")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await anyio.sleep(0.05)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port

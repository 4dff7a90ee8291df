"""The lab's world out of a real Prometheus: a window of its signals is backfilled, the process serves it.

Called by `tests/prometheus_server.py` and by `eks-aiops lab up --prometheus real`. `prometheus` and
`promtool` must be on PATH. Backfilled blocks know no staleness markers, and promtool takes no samples of the
future: a series that ended is seen for five minutes more, and the window ends at the real now.
"""

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from aiops_lab.observatory.ports import HasWorld
from aiops_lab.promql.numbers import plain
from aiops_lab.promql.storage import SignalStorage, Storage, is_stale
from aiops_lab.promql.values import NAME, Labels, Samples
from aiops_lab.serving import LabStartError, listen, port_of

READY_S = 20.0
BACKFILL_S = 300.0
STOP_S = 10.0
HOURS = 6.0
PROGRAMS = ("prometheus", "promtool")


@dataclass(frozen=True, slots=True)
class RealPrometheus:
    """A running process: its address, without a slash at the end."""

    url: str


def missing_programs() -> tuple[str, ...]:
    """What is not on PATH."""
    return tuple(each for each in PROGRAMS if shutil.which(each) is None)


def open_metrics(series: Iterable[Samples]) -> Iterator[str]:
    """OpenMetrics lines of some series; types are left out, promtool does not ask for them."""
    for one in series:
        name, inside = _written(one.labels)
        ended = is_stale(one.values)
        for moment, value, stale in zip(one.moments, one.values, ended, strict=True):
            if not stale:
                yield f"{name}{{{inside}}} {plain(float(value))} {moment / 1000:.3f}\n"
    yield "# EOF\n"


def _written(labels: Labels) -> tuple[str, str]:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels if name != NAME]
    return dict(labels)[NAME], ",".join(pairs)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def window(storage: Storage, since_s: float, until_s: float) -> Iterable[Samples]:
    """Everything a storage knows of a window."""
    return storage.select((), round(since_s * 1000), round(min(until_s, time.time()) * 1000))


@contextmanager
def in_place_of_own(observatory: HasWorld, hours: float = HOURS) -> Iterator[RealPrometheus]:
    """The last hours of a world's signals in a real Prometheus, which the lab's rooms ask from now on.

    A snapshot: what happens later is not in it. Raises LabStartError as `real_prometheus`.
    """
    now_s = observatory.now().timestamp()
    storage = SignalStorage(observatory.telemetry.signals, lambda: now_s, stale=False)
    with real_prometheus(open_metrics(window(storage, now_s - 3600 * hours, now_s))) as real:
        observatory.prometheus = real.url
        try:
            yield real
        finally:
            observatory.prometheus = ""


@contextmanager
def real_prometheus(lines: Iterable[str], *, prefix: str = "") -> Iterator[RealPrometheus]:
    """A Prometheus that holds these OpenMetrics lines; it ends, and its files go, with the context.

    Raises LabStartError where the programs are missing, refuse the lines or do not start.
    """
    if missing := missing_programs():
        raise LabStartError(f"lab: a real Prometheus needs {', '.join(missing)} on PATH")
    with TemporaryDirectory(prefix="eks-aiops-prometheus-") as name:
        folder = Path(name)
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n", encoding="utf-8")
        with (folder / "samples.txt").open("w", encoding="utf-8") as file:
            file.writelines(lines)
        _run(
            "promtool", "tsdb", "create-blocks-from", "openmetrics", f"{folder}/samples.txt", f"{folder}/data"
        )
        with _serving(folder, prefix) as url:
            yield RealPrometheus(url)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BACKFILL_S, check=False)  # noqa: S603 - fixed programs, our own files
    if done.returncode:
        raise LabStartError(f"lab: {command[0]} failed: {(done.stderr or done.stdout).strip()[-400:]}")


@contextmanager
def _serving(folder: Path, prefix: str) -> Iterator[str]:
    with listen("127.0.0.1", 0) as sock:
        port = port_of(sock)
    command = (
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.route-prefix={prefix or '/'}",
        "--log.level=error",
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - a fixed program
        try:
            url = f"http://127.0.0.1:{port}{prefix}"
            _wait(process, url, folder / "log")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_S)


def _pause(process: "subprocess.Popen[bytes]") -> None:
    """A moment for the process to come up, or to end."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.05)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    opener = build_opener(ProxyHandler({}))  # loopback never goes through a proxy
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with opener.open(f"{url}/-/ready", timeout=1):
                return
        except (URLError, OSError):
            _pause(process)
    said = log.read_text(encoding="utf-8", errors="replace").strip()[-400:]
    raise LabStartError(f"lab: prometheus did not start: {said}")

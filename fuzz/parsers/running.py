"""Feeds every parser with what coverage leads to, within so many runs and seconds; says what broke.

Called by `fuzz.__main__`. Targets run beside each other, as many as there are cores.
"""

import base64
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiops_shared.settings import inherited
from fuzz.parsers.corpus import ROOT, seeds
from fuzz.parsers.targets import TARGETS, attack

RUNS: Final = 20_000
SECONDS: Final = 25
MOST_BYTES: Final = 8_192
_COVERED: Final = re.compile(r"cov: (\d+)")


@dataclass(frozen=True)
class Fuzzed:
    """What one target came to. `broke`: the inputs that broke something, with what was said."""

    target: str
    runs: int
    seeds: int
    edges: int
    broke: tuple[tuple[bytes, str], ...] = ()
    failed: str = ""


def fuzzed(seed: int, *, runs: int = RUNS, seconds: int = SECONDS, only: str = "") -> list[Fuzzed]:
    """Every target whose name holds `only`."""
    wanted = [name for name in TARGETS if only in name]
    with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        return list(pool.map(partial(_one, seed=seed, runs=runs, seconds=seconds), wanted))


def _one(target: str, *, seed: int, runs: int, seconds: int) -> Fuzzed:
    started = seeds(target)
    with TemporaryDirectory(prefix="eks-aiops-fuzz-") as where:
        folder = Path(where)
        (folder / "corpus").mkdir()
        for number, one in enumerate(started):
            (folder / "corpus" / f"{number:04d}").write_bytes(one)
        options = [
            *(f"-runs={runs}", f"-max_total_time={seconds}", f"-seed={seed + 1}", f"-max_len={MOST_BYTES}"),
            *(
                "-timeout=60",
                "-rss_limit_mb=2048",
                f"-artifact_prefix={folder}/broke-",
                "-print_final_stats=1",
            ),
            str(folder / "corpus"),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "fuzz.parsers.child", target, *options],
            cwd=ROOT,
            env={**inherited("PATH", "LANG", "TMPDIR"), "HOME": where, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=seconds * 10 + 600,
        )
        said = done.stdout.decode("utf-8", "replace")
        broke = tuple(_broken(target, folder.glob("broke-*")))
    found = Fuzzed(target, _runs(said), len(started), _most(_COVERED.findall(said)), broke)
    if done.returncode and not broke:
        found = Fuzzed(target, found.runs, found.seeds, found.edges, failed=said[-400:])
    _say(found)
    return found


def _broken(target: str, files: Iterable[Path]) -> Iterator[tuple[bytes, str]]:
    """Each input with what it breaks, tried once more without the fuzzer."""
    for file in sorted(files):
        data = file.read_bytes()
        yield data, says_of(target, data) or f"slow, or too much memory: {file.name.partition('-')[2][:40]}"


def says_of(target: str, data: bytes) -> str:
    """What an input breaks; "" when nothing."""
    try:
        attack(target, data)
    except Exception as problem:  # noqa: BLE001  # whatever leaves a parser is what is looked for
        return f"{type(problem).__name__}: {str(problem)[:300]}"
    return ""


def packed(data: bytes) -> str:
    """An input on one line."""
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode()


def unpacked(text: str) -> bytes:
    """The input that `packed` wrote. Raises ValueError."""
    try:
        return zlib.decompress(base64.urlsafe_b64decode(text))
    except zlib.error as error:
        raise ValueError(f"that is no packed input: {error}") from error


def _runs(said: str) -> int:
    return _most(
        re.findall(r"^#(\d+)", said, re.MULTILINE)
        + re.findall(r"stat::number_of_executed_units:\s*(\d+)", said)
    )


def _most(numbers: list[str]) -> int:
    return max((int(one) for one in numbers), default=0)


def _say(found: Fuzzed) -> None:
    sys.stderr.write(
        f"fuzz: parser {found.target}: {found.runs} runs, {found.edges} edges, {len(found.broke)} broke\n"
    )
    for data, says in found.broke:
        sys.stderr.write(
            f"  {says}\n    python -m fuzz --replay 'parser:{found.target} {packed(data)[:600]}'\n"
        )
    if found.failed:
        sys.stderr.write(f"  {found.failed}\n")
    sys.stderr.flush()

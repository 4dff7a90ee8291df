"""Runs the official conformance suite against the five endpoints, and writes what it said.

    python -m tests.clients.conformance            # all, and whether docs/conformance.md says the same
    python -m tests.clients.conformance --write    # all, and write docs/conformance.md

One run is one process of the suite (`--requirements SET --expected-failures FILE`); its exit code counts. The
suite's waits of half a second are made longer (`patience.mjs`): a busy machine is no fault of a server.
"""

import json
import logging
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from aiops_shared.settings import Settings, inherited
from tests.clients.endpoints import ENDPOINTS, judged
from tests.clients.packages import packages
from tests.contracts.repository import ROOT
from tests.remote.issuer import Issuer, issuer, remote_settings

REVISIONS: Final = ("2026-07-28", "2025-11-25")
EXPECTED: Final = Path(__file__).parent / "expected"
PAGE: Final = ROOT / "docs" / "conformance.md"
SIDE_BY_SIDE: Final = 2
PATIENCE: Final = Path(__file__).parent / "patience.mjs"
_ENTRY = re.compile(r"^  - (?P<scenario>[\w/.-]+):(?P<check>[\w.-]+)(?:\s+# (?P<why>.+))?$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One run to be made: an endpoint, a requirement set, whether tokens are asked for, whose list holds."""

    endpoint: str
    revision: str
    tokens: bool = False
    sessions: bool = False

    def __str__(self) -> str:
        """In a test's name and in the listing."""
        how = "tokens" if self.tokens else "sessions" if self.sessions else "plain"
        return f"{self.endpoint} {self.revision} {how}"

    @property
    def expected(self) -> Path:
        """The list of what fails."""
        return EXPECTED / f"{self.revision}{'-with-sessions' if self.sessions else ''}.yml"


@dataclass(frozen=True)
class Verdict:
    """What the suite said. `scenarios`: name -> its checks' statuses, without what the suite left out."""

    run: Run
    exit_code: int
    scenarios: Mapping[str, Sequence[tuple[str, str]]]
    said: str

    @property
    def surprises(self) -> set[str]:
        """What failed and should not, or passed and should not."""
        listed = set(expected(self.run.expected))
        return listed ^ self.failing(required(self.run.revision))

    def failing(self, only: Iterable[str]) -> set[str]:
        """`scenario:check` of what failed or warned, of these scenarios."""
        found = {name: self.scenarios.get(name, ()) for name in only}
        bad = {"FAILURE", "WARNING"}
        return {f"{name}:{check}" for name, checks in found.items() for check, was in checks if was in bad}


@cache
def required(revision: str) -> tuple[str, ...]:
    """The scenarios that a revision requires of a server, in the suite's order."""
    return tuple(str(name) for name in _requirements(revision)["server"])


@cache
def unscored(revision: str) -> Mapping[str, str]:
    """Scenarios that run and do not count -> why."""
    listed = _requirements(revision)["not_scored"]
    return {one["scenario"]: one["reason"] for one in listed if one["leg"] == "server"}


@cache
def expected(path: Path) -> Mapping[str, str]:
    """`scenario:check` -> why it fails."""
    text = path.read_text(encoding="utf-8")
    found = {f"{one['scenario']}:{one['check']}": one["why"] or "" for one in _ENTRY.finditer(text)}
    assert list(found) == yaml.safe_load(text)["server"], "every line of the list is read"
    return found


def every_run() -> list[Run]:
    """Five endpoints, both sets, with tokens; eks without too, and with sessions to judge the harness."""
    signed = [Run(endpoint, revision, tokens=True) for endpoint in ENDPOINTS for revision in REVISIONS]
    plain = [Run("eks", revision) for revision in REVISIONS]
    return [*signed, *plain, Run("eks", "2025-11-25", sessions=True)]


def judge(runs: Sequence[Run]) -> list[Verdict]:
    """Make these runs, two side by side; one server for each pair of endpoint and kind."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        idp = stack.enter_context(issuer())
        urls: dict[tuple[str, bool, bool], str] = {}
        for run in runs:
            kind = (run.endpoint, run.tokens, run.sessions)
            if kind not in urls:
                urls[kind] = stack.enter_context(_listening(run, idp, Path(folder) / str(len(urls))))

        def one(run: Run) -> Verdict:
            url = urls[run.endpoint, run.tokens, run.sessions]
            return _run_suite(run, url, Path(tempfile.mkdtemp(dir=folder)))

        pool = stack.enter_context(ThreadPoolExecutor(SIDE_BY_SIDE))
        return list(pool.map(one, runs))


@contextmanager
def _listening(run: Run, idp: Issuer, folder: Path) -> Iterator[str]:
    settings: Settings = remote_settings(idp if run.tokens else None, folder)
    token: Callable[[], str] | None = idp.token if run.tokens else None
    with judged(run.endpoint, settings, token, stateful=run.sessions) as place:
        yield place.url


def _run_suite(run: Run, url: str, out: Path) -> Verdict:
    what = ["server", "--url", url, "--requirements", run.revision, "--output-dir", str(out)]
    node, suite = packages().conformance
    done = subprocess.run(
        [node, "--import", str(PATIENCE), suite, *what, "--expected-failures", str(run.expected)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env=inherited("PATH", "HOME", "LANG"),
    )
    return Verdict(run, done.returncode, _checks(out), (done.stdout + done.stderr)[-3000:])


def _checks(out: Path) -> dict[str, list[tuple[str, str]]]:
    """The suite writes a folder `server-NAME-TIME` for each scenario."""
    found = {}
    for path in sorted(out.glob("server-*/checks.json")):
        name = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", path.parent.name.removeprefix("server-"))
        found[name] = [(one["id"], one["status"]) for one in json.loads(path.read_text(encoding="utf-8"))]
    return found


def _requirements(revision: str) -> Mapping[str, Any]:
    read = yaml.safe_load((packages().requirements / f"{revision}.yaml").read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


def main() -> int:
    """Run all, compare or write the page."""
    from tests.clients.conformance_page import page

    logging.disable(logging.CRITICAL)  # the suite provokes errors on purpose
    began = time.monotonic()
    verdicts = judge(every_run())
    for verdict in verdicts:
        sys.stdout.write(f"{verdict.run}: exit {verdict.exit_code}\n")
        if verdict.exit_code:
            sys.stdout.write(f"{verdict.surprises}\n")
    sys.stdout.write(f"{len(verdicts)} runs in {time.monotonic() - began:.0f} s\n")
    if "--write" in sys.argv:
        PAGE.write_text(page(verdicts), encoding="utf-8")
    same = PAGE.read_text(encoding="utf-8") == page(verdicts)
    sys.stdout.write("docs/conformance.md says the same\n" if same else "docs/conformance.md is stale\n")
    return int(not same or any(verdict.exit_code for verdict in verdicts))


if __name__ == "__main__":
    raise SystemExit(main())

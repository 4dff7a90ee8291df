"""`make audit`: known vulnerabilities of everything that the lock names, by pip-audit.

Exit code 0: each locked package was looked up, none has a known vulnerability. 1: some has. 2: not audited.
The last one is told apart since pip-audit itself says "no known vulnerabilities" when an index does not
serve advisories: it skips each package with a reason, and ends 0.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eks_aiops.locked import LOCK, ROOT, Locked, read_lock

CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 2
_LIMIT_S: Final = 900.0
_NPM: Final = ROOT / "deploy" / "npm" / "package.json"
_ONE: Final = "certifi"  # asked alone first: in every index, in every lock


@dataclass(frozen=True, slots=True)
class Advisory:
    """One known vulnerability of one locked package. `mended_in`: the first versions without it."""

    name: str
    version: str
    number: str  # PYSEC-…, GHSA-… or CVE-…
    mended_in: tuple[str, ...]

    def __str__(self) -> str:
        mended = f"mended in {', '.join(self.mended_in)}" if self.mended_in else "not mended yet"
        return f"{self.name} {self.version}: {self.number}, {mended}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one audit. `unknown`: why packages (or all of them) were not looked up."""

    asked: int
    found: tuple[Advisory, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code: what is known to be wrong goes before what is not known."""
        return VULNERABLE if self.found else NOT_AUDITED if self.unknown else CLEAN

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        yield from (str(one) for one in self.found)
        yield from (f"not looked up: {why}" for why in self.unknown[:5])
        if len(self.unknown) > 5:
            yield f"not looked up: {len(self.unknown) - 5} more"
        yield {
            CLEAN: f"{self.asked} packages looked up, none has a known vulnerability",
            VULNERABLE: f"{len(self.found)} known vulnerabilities in {self.asked} packages",
            NOT_AUDITED: "NOT AUDITED, so nothing is known: run it where the index serves advisories",
        }[self.code]


def outcome_of(answer: str, asked: Sequence[Locked]) -> Outcome:
    """pip-audit's JSON, read strictly: `{"dependencies": [{name, version, vulns} | {name, skip_reason}]}`."""
    try:
        entries = json.loads(answer)["dependencies"]
        told = {str(one["name"]).lower(): one for one in entries}
    except (ValueError, KeyError, TypeError):
        return Outcome(len(asked), unknown=("pip-audit gave no answer that can be read",))
    found = tuple(each for one in entries for each in _advisories(one))
    unknown = tuple(why for entry in asked if (why := _unknown(entry, told.get(entry.name))))
    return Outcome(len(asked), found, unknown)


def _advisories(entry: dict[str, Any]) -> Iterator[Advisory]:
    for one in entry.get("vulns", ()):
        mended = tuple(str(version) for version in one.get("fix_versions", ()))
        yield Advisory(str(entry["name"]), str(entry.get("version", "")), str(one.get("id", "")), mended)


def _unknown(asked: Locked, told: dict[str, Any] | None) -> str:
    if told is None:
        return f"{asked.name} {asked.version}: pip-audit says nothing of it"
    return str(told.get("skip_reason", ""))


def npm_outcome(package: str) -> Outcome:
    """The npm package has no dependencies, so nothing to look up; with some, `npm audit` is wanted."""
    said = json.loads(package)
    named = [name for kind in ("dependencies", "optionalDependencies") for name in said.get(kind, {})]
    return Outcome(len(named), unknown=tuple(f"npm package {name}: run npm audit" for name in named))


def looked_up(entries: Sequence[Locked]) -> Outcome:
    """Ask pip-audit. One package first: where nothing is known of that one, the others are not asked."""
    for some in ([entry for entry in entries if entry.name == _ONE], entries):
        outcome = outcome_of(_answer(some), some)
        if outcome.code == NOT_AUDITED:
            break
    return outcome


def _answer(entries: Sequence[Locked]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "requirements.txt"
        # without markers: what is installed on another platform is shipped there
        pinned.write_text("".join(f"{one.name}=={one.version}\n" for one in entries), encoding="utf-8")
        words = ["--requirement", str(pinned), "--no-deps", "--disable-pip", "--format", "json"]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pip_audit", *words, "--progress-spinner", "off"],
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return ""
    return done.stdout


def main() -> int:
    """Audit the lock and the npm package; print; the exit code says which it was."""
    parser = argparse.ArgumentParser(prog="python -m eks_aiops.dependency_audit", description=__doc__)
    parser.parse_args()
    outcome = looked_up(read_lock(LOCK.read_text(encoding="utf-8")))
    npm = npm_outcome(_NPM.read_text(encoding="utf-8"))
    print("\n".join(outcome.lines()))
    print(
        f"npm: {npm.asked} dependencies" + ("".join(f"\n{line}" for line in npm.lines()) if npm.code else "")
    )
    return outcome.code or npm.code


if __name__ == "__main__":
    sys.exit(main())

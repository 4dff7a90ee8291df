"""Renders our Helm chart with Helm's own engine, built once from its Go modules (`helm/build.sh`)."""

import fcntl
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.contracts.repository import ROOT
from tests.e2e.clients import missing

CHART = ROOT / "deploy" / "helm" / "eks-aiops"
PROGRAM = ROOT / ".cache" / "helm" / "chartrender"
BUILD = Path(__file__).parent / "helm" / "build.sh"
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}

Obj = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """What `helm install` would apply, and what it would print."""

    objects: list[Obj]
    notes: str

    def kinds(self) -> list[str]:
        """Every object as Kind/name."""
        return sorted(f"{one['kind']}/{one['metadata']['name']}" for one in self.objects)

    def of(self, kind: str) -> list[Obj]:
        """The objects of a kind."""
        return [one for one in self.objects if one["kind"] == kind]


class ChartRefusedError(Exception):
    """The chart or its schema refused the values; the text is what Helm would say."""


def program() -> Path:
    """The renderer; built by the first test process that asks."""
    if shutil.which("go") is None and not PROGRAM.exists():
        missing("rendering the chart needs Go on PATH: `apt-get install golang-go`")
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    with (PROGRAM.parent / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([str(BUILD), str(PROGRAM)], capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"the chart's renderer cannot be built: {done.stderr[-600:]}")
    return PROGRAM


def render(folder: Path, *values: Obj | str) -> Rendered:
    """The chart with these values, later over earlier: an object, or the name of a file of the chart."""
    files = []
    for number, one in enumerate(values):
        file = CHART / one if isinstance(one, str) else folder / f"values-{number}.yaml"
        if not isinstance(one, str):
            file.write_text(yaml.safe_dump(one), encoding="utf-8")
        files.append(str(file))
    done = subprocess.run([str(program()), str(CHART), *files], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChartRefusedError(done.stderr.strip())
    made: dict[str, str] = json.loads(done.stdout)
    notes = made.pop("eks-aiops/templates/NOTES.txt")
    found = (one for text in made.values() for one in yaml.safe_load_all(text))
    return Rendered([one for one in found if one], notes)

"""Two stages with the same furniture, and the same script played on both at the same time."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio

from aiops_lab.run import Lab
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import Behaviour, Exit, Run
from aiops_lab.world.nodes import node as worker
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl.script import Step

MANIFESTS = Path(__file__).parent / "manifests"
NODES = ("walk-a", "walk-b", "walk-c", "walk-d")
EMPTY = "walk-d"  # no pod goes there, so that it is described alike
FURNITURE = ("aws-node", "kube-proxy")  # DaemonSets that tolerate everything: not on the walk's nodes
LINES = {"app": ("starting", "listening on :8080", "ready"), "sidecar": ("proxying",)}
IMAGES = {"registry.example/walk/web:1": "app", "registry.example/walk/web:2": "app"}
SIDECAR, ONCE = "registry.example/walk/sidecar:1", "registry.example/walk/once:1"
STEP_S = 25.0


@dataclass(frozen=True)
class Answer:
    """What one command said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All of it, as a terminal shows it."""
        return f"{self.out}\n{self.err}\nexit {self.code}"


@dataclass(frozen=True)
class Stage:
    """One cluster and the kubectl that is played on it."""

    kubectl: Path
    kubeconfig: Path
    home: Path

    async def play(self, steps: Sequence[Step]) -> dict[str, Answer]:
        """Every step in its order."""
        return {step.name: await self.run(step) for step in steps}

    async def run(self, step: Step) -> Answer:
        """One step; a command that has not ended after STEP_S seconds is ended and says so."""
        flags = ["--cache-dir", str(self.home / "cache")]
        with anyio.move_on_after(STEP_S):
            done = await anyio.run_process(
                [str(self.kubectl), *flags, *shlex.split(step.words)],
                env={"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home), "PATH": os.defpath},
                input=step.stdin.encode(),
                cwd=MANIFESTS,
                check=False,
            )
            return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
        return Answer(-1, "", f"not ended after {STEP_S:g} s")


def walk_node(name: str, place: int, lab: Lab) -> dict[str, Any]:
    """A worker as the lab has them, under a name of its own; `pool=walk` is where the script's pods go."""
    made = worker(place, 200 + place, f"i-{place:017x}", lab.clock.now())
    made["metadata"]["name"] = name
    labels = {"kubernetes.io/os": "linux", "beta.kubernetes.io/os": "linux", "kubernetes.io/hostname": name}
    made["metadata"]["labels"] = {**labels, "pool": "none" if name == EMPTY else "walk"}
    made["metadata"]["annotations"] = {"node.alpha.kubernetes.io/ttl": "0"}
    made["spec"] = {"taints": [{"key": "walk", "effect": "NoSchedule"}]} if name == EMPTY else {}
    made["status"]["addresses"] = made["status"]["addresses"][:1]
    return made


def _program(lines: Sequence[str], ends: Exit | None = None) -> Image:
    said = tuple((place / 100, line) for place, line in enumerate(lines))

    def program(_: Run) -> Behaviour:
        return Behaviour(lines=said, ready_after_s=0.1, stop_s=0.1, exit=ends)

    return Image(program, pull_s=0.1)


def furnish_lab(lab: Lab) -> None:
    """The script's nodes and images."""
    for ref in IMAGES:
        lab.world.publish(ref, _program(LINES["app"]))
    lab.world.publish(SIDECAR, _program(LINES["sidecar"]))
    lab.world.publish(ONCE, _program(LINES["app"], Exit(0.2, 0)))
    for name in FURNITURE:
        lab.store.delete("DaemonSet", "kube-system", name)
    for place, name in enumerate(NODES):
        lab.world.put(walk_node(name, place, lab), by="kubelet")


async def furnish_real(plane: ControlPlane, lab: Lab) -> None:
    """The same nodes, played by kwok, and what their containers say."""
    port = {"kubeletEndpoint": {"Port": plane.kubelet_port}}
    async with plane.client() as api:
        for place, name in enumerate(NODES):
            made = walk_node(name, place, lab)
            made["status"]["addresses"] = [{"type": "InternalIP", "address": "127.0.0.1"}]
            made["status"]["daemonEndpoints"] = port
            (await api.post("/api/v1/nodes", json=made)).raise_for_status()
    now = lab.clock.now()
    for name, lines in LINES.items():
        told = (
            f"{(now + timedelta(seconds=n / 100)).isoformat()[:26]}Z stdout F {line}\n"
            for n, line in enumerate(lines)
        )
        plane.container_log(name).write_text("".join(told))


async def clear_real(plane: ControlPlane) -> None:
    """Take the walk's nodes away again: others use this control plane, and no kubelet answers for these."""
    async with plane.client() as api:
        for name in NODES:
            (await api.delete(f"/api/v1/nodes/{name}")).raise_for_status()


async def both(
    plane: ControlPlane, folder: Path, steps: Sequence[Step]
) -> tuple[dict[str, Answer], dict[str, Answer]]:
    """The answers of the real control plane and of the lab, played side by side."""
    answers: dict[str, dict[str, Answer]] = {}
    async with Lab("healthy") as lab:
        furnish_lab(lab)
        await furnish_real(plane, lab)
        stages = {
            "real": Stage(plane.kubectl, plane.kubeconfig(namespace="walk"), folder / "real"),
            "lab": Stage(plane.kubectl, await _lab_config(plane, lab, folder), folder / "lab"),
        }

        async def play(name: str) -> None:
            answers[name] = await stages[name].play(steps)

        async with anyio.create_task_group() as group:
            for name in stages:
                group.start_soon(play, name)
        await clear_real(plane)
    return answers["real"], answers["lab"]


async def _lab_config(plane: ControlPlane, lab: Lab, folder: Path) -> Path:
    """The lab's kubeconfig with the script's namespace."""
    path = anyio.Path(folder / "lab-kubeconfig")
    await path.write_text(await anyio.Path(lab.export()["KUBECONFIG"]).read_text(encoding="utf-8"))
    words = ["config", "set-context", "--current", "--namespace=walk", f"--kubeconfig={path}"]
    await anyio.run_process([str(plane.kubectl), *words])
    return Path(path)

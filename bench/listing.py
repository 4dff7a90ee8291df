"""How long a list of thousands of pods takes, and how much memory, beside the same requests made raw.

Ours and the raw client take turns against one lab (or one real API server), so that a busy moment hits both.
What is timed is one tool call over stdio: requests, judging, the whole answer as JSON.
"""

import base64
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from aiops_shared.clock import SystemClock
from bench.gathered import Crowd, crowd
from bench.rows import Row, met, told
from bench.talking import Child, talking
from bench.tokens import tokens

ROUNDS = 9
MB = 1_000_000
Environment = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """One tool call whose time and memory are measured, and how good they should be."""

    title: str
    tool: str
    arguments: Mapping[str, Any]
    ratio: float
    peak_mb: int
    tokens: int


LIST = Question(
    "unhealthy_only list", "list_resources", {"kind": "Pod", "unhealthy_only": True}, 1.5, 140, 1_500
)
DIAGNOSE = Question("diagnose the cluster", "diagnose", {}, 3, 150, 4_000)


@dataclass(frozen=True)
class Measured:
    """What came of the rounds."""

    ours_ms: float
    raw_ms: float
    ratio: float
    first_ms: float
    requests: int
    own_requests: int  # 0 where the API does not count
    peak_bytes: int
    tokens: int
    summary: str


@contextmanager
def crowded_lab(pods: int, layout: str, base: Environment) -> Iterator[tuple[Child, dict[str, str], str]]:
    """A lab in a process of its own: the child, a client's environment, the cluster's name."""
    with talking([sys.executable, "-m", "bench.crowded_lab", str(pods), layout], base) as lab:
        environment = {**base, **lab.hear()}
        cluster = environment.pop("cluster")
        yield lab, {**environment, "AIOPS_KUBE_CONTEXT": cluster}, cluster


def standing(pods: int, layout: str) -> Crowd:
    """The crowd that such a lab holds, but for its own furniture; names do not depend on the moment."""
    return crowd(SystemClock().safe_now(), pods, scattered=layout == "scattered")


def target_of(kubeconfig: str, suspects: object) -> dict[str, Any]:
    """What the raw client is told."""
    found = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
    cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
    ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return {"url": cluster["server"], "ca": ca, "token": user["token"], "suspects": suspects}


def measure(
    environment: Environment,
    suspects: object,
    counted: Callable[[], int] | None = None,
    question: Question = LIST,
) -> Measured:
    """Rounds in turn: the raw requests, then one call of ours. The first call of each is a warm-up.

    `counted` gives the requests that the API had since it was last asked.
    """
    base = {name: value for name, value in environment.items() if not name.startswith("AIOPS_")}
    with (
        TemporaryDirectory() as state,
        talking([sys.executable, "-m", "bench.raw"], base) as raw,
        talking(
            [sys.executable, "-m", "eks_aiops", "eks"], {**environment, "AIOPS_STATE_DIR": state}
        ) as server,
    ):
        raw.say(target_of(environment["KUBECONFIG"], suspects))
        server.greet()
        first_ms, answer = _timed(server, question)
        said = _raw_round(raw)
        pairs: list[tuple[float, float]] = []
        asked = 0
        for _ in range(ROUNDS):
            said = _raw_round(raw)
            asked = counted() if counted else 0
            took_ms, answer = _timed(server, question)
            asked = counted() if counted else 0
            pairs.append((took_ms, float(said["ms"])))
        return Measured(
            ours_ms=statistics.median(ours for ours, _ in pairs),
            raw_ms=statistics.median(floor for _, floor in pairs),
            ratio=statistics.median(ours / floor for ours, floor in pairs),
            first_ms=first_ms,
            requests=int(said["requests"]),
            own_requests=asked,
            peak_bytes=server.peak_bytes,
            tokens=tokens(answer["content"][0]["text"]),
            summary=str(answer["structuredContent"]["summary"]),
        )


def _raw_round(raw: Child) -> dict[str, Any]:
    raw.say({})
    return raw.hear()


def _timed(server: Child, question: Question) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    answer = server.call(question.tool, **question.arguments)
    return 1000 * (time.perf_counter() - began), answer


def rows_of(what: str, found: Measured, question: Question = LIST) -> list[Row]:
    """The rows of the table."""
    own = f"{found.own_requests} and " if found.own_requests else ""
    says = (
        f"{found.ratio:.2f} x (ours {found.ours_ms:.0f} ms, raw {found.raw_ms:.0f} ms, "
        f"{own}{found.requests} requests; first call {found.first_ms:.0f} ms)"
    )
    title, most = f"{question.title}, {what}", question.tokens
    peak = found.peak_bytes / MB
    raw = f"<= {question.ratio:g} x the list's requests raw"
    return [
        (f"{title}: time", raw, says, met(found.ratio, question.ratio)),
        (f"{title}: peak memory", f"<= {question.peak_mb} MB", f"{peak:.1f} MB", met(peak, question.peak_mb)),
        (f"{title}: tokens", f"<= {most:,} tokens", f"{found.tokens} tokens", met(found.tokens, most)),
    ]


def in_lab(pods: int, base: Environment) -> list[Row]:
    """The rows for a lab with `pods` healthy pods and the sixty."""
    with (
        told(f"  {pods:,} simulated pods, raw and ours in turn"),
        crowded_lab(pods, "owners", base) as (lab, environment, _),
    ):

        def counted() -> int:
            lab.say({})
            return int(lab.hear()["requests"])

        suspects = standing(pods, "owners").suspects
        what = f"{pods:,} simulated pods and 60 broken"
        rows = [
            row
            for question in (LIST, DIAGNOSE)
            for row in rows_of(what, measure(environment, suspects, counted, question), question)
        ]
        peak = aws_peak_bytes(environment) / MB
    by_aws = f"unhealthy_only list, {what}: peak memory, cluster found through AWS"
    return [*rows, (by_aws, "<= 140 MB", f"{peak:.1f} MB", met(peak, 140))]


def aws_peak_bytes(environment: Environment) -> int:
    """Peak memory when the cluster is found by its AWS account and region: the AWS client is loaded too."""
    without = {"KUBECONFIG", "AIOPS_KUBE_CONTEXT"}
    plain = {name: value for name, value in environment.items() if name not in without}
    with TemporaryDirectory() as folder:
        own = {**plain, "HOME": folder, "AIOPS_STATE_DIR": folder}
        with talking([sys.executable, "-m", "eks_aiops", "eks"], own) as server:
            server.greet()
            for _ in range(3):
                _timed(server, LIST)
            return server.peak_bytes


def this_moment() -> datetime:
    """Now, UTC."""
    return SystemClock().safe_now().astimezone(UTC)

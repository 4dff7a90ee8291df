"""The pages of measurements, made from the raw figures in `bench/data/`; tests check page == data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.field.page import peers_page
from bench.field.pictures import draw
from bench.http_page import http_page
from bench.keeping import DATA, Kept, kept, machines_line

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
NOTES: Final = """
How to read it
* **The same requests raw**: one plain httpx client, at most eight requests at once, JSON read with orjson and
  forgotten: the namespaces, each one's Table of pods without objects, each suspect whole. Ours and raw take
  turns; the ratio is the median of the pairs. Ours is one tool call over stdio and does the judging too.
* **Simulated** pods stand in a lab in a process of its own (Python, and slow), which counts the requests; on
  the real kube-apiserver they are written into its etcd, since no API lets a test set a pod's age.
* **Peak memory** is VmHWM of our server process after all lists, through a kubeconfig context with a token;
  in a row of its own, with the AWS client that finds a cluster by account and region.
* **Planted faults**: what is wrong with each pod is written in `bench/planted.py` and matched by code
  (`bench/naming.py`): the state and every word of the cause must stand in what was said about that pod. Eight
  of the sixty tell their cause in events only, which are sensitive reads (off as installed).
* **Peers** are driven by a real client on their shortest way. The client knows which pods to read; awslabs'
  list, which shows no state, would not have told it. Folded YAML and quoted JSON are matched unfolded.
"""


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table of targets and measurements."""
    return [
        "| What | Target | Measured | |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def benchmarks_page(parts: Sequence[Kept]) -> str:
    """docs/benchmarks.md of the parts that have been measured."""
    lines = [
        "# Targets and measurements",
        "",
        "Made by `make bench` from the raw figures in `bench/data/`. Ratios within one run on one machine; a",
        "part measured again with `python -m bench --only PART --write` replaces its own rows; nothing here",
        "is a timed test. A missed target stays here until it is met. Beside other servers:",
        "[peers.md](peers.md); under load over HTTP: [benchmarks-http.md](benchmarks-http.md).",
        "",
        machines_line(parts),
        "",
        *table([row for part in parts for row in part["rows"]]),
        "",
        *NOTES.strip().splitlines(),
    ]
    return "\n".join(lines) + "\n"


def pages(parts: Sequence[str], folder: Path = DATA) -> dict[str, str]:
    """Name to text of every page whose figures are there. `parts`: the order of those of benchmarks.md."""
    found = {"benchmarks.md": benchmarks_page([one for part in parts if (one := kept(part, folder))])}
    if load := kept("http", folder):
        found["benchmarks-http.md"] = http_page(load)
    if peers := kept("peers", folder):
        found["peers.md"] = peers_page(peers)
    return found


def write_pages(parts: Sequence[str], folder: Path = DATA, docs: Path = DOCS) -> None:
    """Make the pages anew, and the pictures of the peers' page."""
    for name, text in pages(parts, folder).items():
        (docs / name).write_text(text, encoding="utf-8")
    if peers := kept("peers", folder):
        draw(peers, docs / "pictures")

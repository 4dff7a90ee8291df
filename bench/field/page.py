"""docs/peers.md, made from the raw figures of one run: tables, pictures, and where a peer is better."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bench.field.better import better_lines
from bench.field.figures import OURS, counted, figure, mb, ours_first, ours_of, ratio, seconds_of
from bench.field.pictures import PICTURES
from bench.keeping import Kept, machines_line
from bench.rows import Row

Found = Mapping[str, Any]
UNMEASURED: Final = "Not measured in this run."
NOTES: Final = """
## How it was measured

* One lab for all: a simulated Kubernetes API and AWS account on loopback that play the scenario of the
  question. AWS Labs' servers are pointed at it by `AWS_ENDPOINT_URL` and the lab's keys, the two Kubernetes
  servers by a kubeconfig, ours by AWS. Ours may read logs and events (`AIOPS_SENSITIVE_READS=true`), and so
  may AWS Labs' (`--allow-sensitive-data-access`).
* **Facts** are what the scenario planted: patterns and amounts taken from the lab's world, matched by code in
  all that a server answered (`bench/field/facts.py`), anywhere and in any unit. A way ends when all stand
  there.
* **Shortest fair way**: who asks knows the pod, the workload, the log group. *Told which*: the server's list
  shows no state, so the name of what is broken was given to it. *Told the query*: the client wrote PromQL or
  Logs Insights, which ours writes itself. All ways stand in `bench/field/questions.py` and `causes.py`.
* **Seconds** are of the calls, on a fresh process that was greeted, has listed its tools and rested a second
  (a model reads the list): what a server loads only at its first call is in them. **Asked again**: the same
  calls once more in the same process (ours answers a settled bill from its store then). Medians of the
  rounds; ratios are of this run.
* **Tokens** are o200k tokens of the text that a model reads. **Memory** is that of all processes of a server
  that live (a launcher and its program); what `kubectl` takes meanwhile is not in it.
* **What the lab does not play**, so that these servers might do better on a real account: CloudWatch's
  `pattern` command and log anomaly detectors (`analyze_log_group`), Cost Explorer's comparison drivers, the
  kubelet's statistics (`nodes_stats_summary`). `pattern` would spare the query that was written for the log
  group; the others would add no fact that was asked for.
* A question is left out for a server that has no tool for it. A server that cannot be installed is a row that
  says so. Lists on a real kube-apiserver and sixty planted faults: [benchmarks.md](benchmarks.md); load over
  HTTP: [benchmarks-http.md](benchmarks-http.md).
"""


def headlines(found: Found) -> list[Row]:
    """What `make bench` prints of a run: one row a question and server."""
    rows: list[Row] = []
    for question in (*found["questions"], *found["causes"]):
        for way in question["ways"]:
            says = way.get("error") or (
                f"{counted(way, question)} facts; {way['calls']} calls, {way['tokens']:,} tokens,"
                f" {way['seconds']:.2f} s"
            )
            rows.append((f"{question['title']} {way['title']}", "", says, ""))
    return rows


def peers_page(found: Kept) -> str:
    """The whole page."""
    lines = [
        "# Beside the other servers of the field",
        "",
        "Made by `make bench` (this part: `python -m bench --only peers --write`) from the raw figures in",
        "`bench/data/peers.json`. The same questions to this suite and to six other servers, on the same",
        "lab, in one run; nothing here is a timed test.",
        "",
        machines_line([found]),
        f"{found['starts_each']} starts each, {found['rounds']} rounds of each question.",
        "",
        *_busy(found),
        "## Before anything is asked",
        "",
        *(_starts(found["starts"]) if found["starts"] else [UNMEASURED]),
        "",
        *(_picture("starts") if found["starts"] else []),
        "## Ten everyday questions",
        "",
        "Facts: how many of the planted facts stand in the answers. x: times ours.",
        "",
        *_asked(found["questions"]),
        *_picture("tokens"),
        *_picture("seconds"),
        '## From "something is wrong" to the root cause',
        "",
        *_asked(found["causes"]),
        *_picture("causes"),
        "## Long lists",
        "",
        *(_lists(found["lists"]) if found["lists"] else [UNMEASURED]),
        "",
        *(_picture("lists") if found["lists"] else []),
        "## Where a peer is better",
        "",
        *better_lines(found),
        "",
        *NOTES.strip().splitlines(),
    ]
    return "\n".join(lines) + "\n"


def _busy(found: Kept) -> list[str]:
    load, cores = float(found["machine"]["load"]), int(found["machine"]["cores"])
    if load <= 2 * cores:
        return []
    return [
        f"**The machine was busy: load {load:g} on {cores} cores. Seconds are high for everybody and uneven:",
        "read the counts and tokens, and measure again on a quiet machine. A server that gives up on a slow",
        "upstream, as ours does by its own deadlines, also says less here than it would there.**",
        "",
    ]


def _picture(name: str) -> list[str]:
    return [f"![{PICTURES[name]}](pictures/peers-{name}.png)", ""]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _starts(starts: Sequence[Found]) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for one in starts:
        if error := one.get("error"):
            rows.append((one["server"], error, "", "", "", ""))
        else:
            took = (f"{one['wall_s']:.2f} s", f"{one['cpu_s']:.2f} s")
            read = (str(one["tools"]), f"{one['tokens']:,}")
            rows.append((one["server"], *took, mb(one["rss_bytes"]), *read))
    rows += [row for name in (OURS, "awslabs") if (row := _together(name, starts))]
    return _table(("Server", "First tools/list", "CPU", "Memory", "Tools", "Tokens of tools/list"), rows)


def _together(name: str, starts: Sequence[Found]) -> tuple[str, ...] | None:
    """What a client holds that runs all servers of one house; nothing when one is missing."""
    house = [one for one in starts if one["server"].startswith(f"{name} ")]
    if not house or any("error" in one for one in house):
        return None
    held, tools, size = (sum(one[key] for one in house) for key in ("rss_bytes", "tools", "tokens"))
    return (f"**all {len(house)} of {name}**", "", "", mb(held), str(tools), f"{size:,}")


def _asked(questions: Sequence[Found]) -> list[str]:
    lines: list[str] = []
    for question in questions:
        ours = ours_of(question)
        rows = [_way(way, question, ours) for way in ours_first(question["ways"])]
        lines += [f"### {question['title']}", ""]
        lines += _table(("Server", "Facts", "Calls", "Tokens", "Seconds", "Asked again", "Note"), rows)
        lines += ["", f"Facts: {'; '.join(question['facts'])}.", ""]
    return lines


def _way(way: Found, question: Found, ours: Found | None) -> tuple[str, ...]:
    if error := way.get("error"):
        return (way["title"], "", "", "", "", "", f"not measured: {error}")
    beside = ours if ours is not None and ours is not way else None
    return (
        way["title"],
        counted(way, question),
        str(way["calls"]),
        f"{way['tokens']:,}{ratio(way, beside, 'tokens')}",
        f"{seconds_of(way, 'seconds')}{ratio(way, beside, 'seconds')}",
        f"{seconds_of(way, 'again_s')}{ratio(way, beside, 'again_s')}",
        way["note"],
    )


def _lists(lists: Sequence[Found]) -> list[str]:
    rows = []
    for one in lists:
        about = (f"{one['pods']:,}", one["server"], one["asked"])
        if error := one.get("error"):
            rows.append((*about, f"not measured: {error}", "", "", ""))
        else:
            took = (f"{one['first_s']:.2f} s", f"{one['seconds']:.2f} s")
            rows.append((*about, *took, figure(one["tokens"]), mb(one["peak_bytes"])))
    return _table(("Pods", "Server", "Asked for", "First call", "Next call", "Tokens", "Peak memory"), rows)

"""Where another server is better than ours, found in the figures: nobody has to remember to say it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bench.field.figures import counted, is_ours, mb, ours_of

Found = Mapping[str, Any]
LEAST: Final = 1.1  # times; less is noise
WHY: Final = """
What stands behind it, and what was done or not
* **Cold start.** AWS Labs' eks and prometheus servers stand on a smaller protocol library;
  `kubernetes-mcp-server` is a Go program. Ours speaks both eras of the protocol and stays within 1.15 x of a
  minimal FastMCP server ([benchmarks.md](benchmarks.md)). A server starts once a session, so it was left.
* **Memory.** A Go program holds less than a Python server; over stdio its launcher, which is Node, comes on
  top. Ours loads the AWS client only when a call needs it.
* **Seconds of a plain read.** A raw list or log costs one request; ours also reads what belongs to the
  question (owners, events, changes, the log before), judges, redacts and writes a journal line. Where that
  takes longer, it is the price of the facts in one call; audit and redaction are not given up for it.
* **Tokens of a plain read.** Two log lines without evidence, levels and patterns are shorter than with them.
* **Facts.** A fact that a peer names and ours does not is a fault of ours: such a row is said above as it is.
"""


def better_lines(found: Found) -> list[str]:
    """A plain list; every line is computed from the run."""
    lines = [
        *_starts(found["starts"]),
        *(line for question in (*found["questions"], *found["causes"]) for line in _asked(question)),
        *_lists(found["lists"]),
    ]
    said = [f"* {line}" for line in lines] or ["* Nowhere in this run."]
    return [*said, "", *WHY.strip().splitlines()]


def _starts(starts: list[Found]) -> Iterator[str]:
    there = [one for one in starts if "error" not in one]
    ours = next((one for one in there if one["server"] == "eks-aiops eks"), None)
    if ours is None:
        return
    for key, what, say in (
        ("wall_s", "starts sooner", lambda value: f"{value:.2f} s"),
        ("rss_bytes", "holds less memory after its start", mb),
        ("tokens", "has a shorter tools/list", lambda value: f"{value:,} tokens"),
    ):
        for one in there:
            if not is_ours(one["server"]) and one[key] * LEAST < ours[key]:
                yield f"{one['server']} {what}: {say(one[key])} beside {say(ours[key])} of our eks server."


def _asked(question: Found) -> Iterator[str]:
    ours = ours_of(question)
    if ours is None:
        return
    title = question["title"].rstrip("?")
    for way in question["ways"]:
        if "error" in way or is_ours(way["title"]):
            continue
        if set(way["stands"]) - set(ours["stands"]):
            yield f"{title}: {way['title']} names {counted(way, question)}, ours {counted(ours, question)}."
        if len(way["stands"]) < len(ours["stands"]):
            continue  # less said in less time is not better
        if way["tokens"] * LEAST < ours["tokens"]:
            yield f"{title}: {way['title']} needs {way['tokens']:,} tokens, ours {ours['tokens']:,}."
        for key, when in (("seconds", "at first"), ("again_s", "asked again")):
            if key in way and key in ours and way[key] * LEAST < ours[key]:
                yield f"{title}: {way['title']} needs {way[key]:.2f} s {when}, ours {ours[key]:.2f} s."


def _lists(lists: list[Found]) -> Iterator[str]:
    there = [one for one in lists if "error" not in one]
    for pods in dict.fromkeys(one["pods"] for one in there):
        some = [one for one in there if one["pods"] == pods]
        ours = next((one for one in some if is_ours(one["server"])), None)  # those that are not well
        for one in some:
            if ours is not None and not is_ours(one["server"]):
                yield from _listed(one, ours)


def _listed(one: Found, ours: Found) -> Iterator[str]:
    for key, say in (("seconds", "{:.2f} s"), ("tokens", "{:,} tokens")):
        if one[key] * LEAST < ours[key]:
            beside = f"{say.format(one[key])} beside {say.format(ours[key])}"
            yield f"{one['pods']:,} pods, all listed by {one['server']}: {beside} (ours: {ours['asked']})."
    if one["peak_bytes"] * LEAST < ours["peak_bytes"]:
        held = f"{mb(one['peak_bytes'])}, ours {mb(ours['peak_bytes'])}"
        yield f"{one['pods']:,} pods: {one['server']} holds {held}."

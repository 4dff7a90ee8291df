"""The chain itself: how records are signed, and how a bad one is found. Pure; used by `audit` alone."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiops_shared.guardrails.canonical import mac_of
from aiops_shared.results import Frozen

GENESIS: Final = "0" * 64
_ANCHOR: Final = re.compile(r"audit head seq=(\d{1,18}) mac=([0-9a-f]{64})")


class Anchor(Frozen):
    """An end of the chain, kept in another place."""

    seq: int
    mac: str

    def __str__(self) -> str:
        return f"audit head seq={self.seq} mac={self.mac}"


def anchors_in(lines: Iterable[str]) -> tuple[Anchor, ...]:
    """The ends that a log holds, for `eks-aiops audit verify --anchors FILE`."""
    found = (_ANCHOR.search(line) for line in lines)
    return tuple(Anchor(seq=int(match[1]), mac=match[2]) for match in found if match)


class Report(Frozen):
    """What `verify` found. `first_bad` is 0 when the chain holds."""

    records: int
    first_bad: int = 0
    reason: str = ""
    unknown: tuple[int, ...] = ()  # intents without an outcome: under way, or the process died there

    @property
    def holds(self) -> bool:
        """Whether every record is as it was written and none is missing."""
        return not self.first_bad


def signed(key: bytes, prev: str, body: str) -> str:
    """The mac of a record: over the previous mac and the record's exact text."""
    return hmac.new(key, f"{prev}\n{body}".encode(), hashlib.sha256).hexdigest()


def seal(key: bytes, end: Anchor) -> str:
    """The mac of the head, so that nobody without the key can set it back to a made-up end."""
    return mac_of(key, {"head": end.seq, "mac": end.mac})


@dataclass(slots=True)
class Verifier:
    """Takes the records in the order of their numbers and remembers the first bad one."""

    key: bytes
    anchors: Sequence[Anchor] = ()
    last: Anchor = field(default_factory=lambda: Anchor(seq=0, mac=GENESIS))
    first_bad: int = 0
    reason: str = ""
    _open: dict[int, None] = field(default_factory=dict)
    _wanted: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wanted = {anchor.seq: anchor.mac for anchor in self.anchors}

    def take(self, seq: int, body: str, prev: str, mac: str, columns: tuple[str, str, str, str]) -> None:
        """Check one record; after a bad one the rest is only counted."""
        if not self.first_bad:
            self._check(seq, body, prev, mac, columns)
        self.last = Anchor(seq=seq, mac=mac)

    def report(self, head: Any) -> Report:
        """The verdict, with the head of the store (a row of audit_head, or None)."""
        if not self.first_bad:
            self._check_end(head)
        return Report(
            records=self.last.seq, first_bad=self.first_bad, reason=self.reason, unknown=tuple(self._open)
        )

    def _bad(self, seq: int, reason: str) -> None:
        self.first_bad, self.reason = seq, reason

    def _check(self, seq: int, body: str, prev: str, mac: str, columns: tuple[str, str, str, str]) -> None:
        if seq != self.last.seq + 1:
            self._bad(self.last.seq + 1, "it is missing: deleted, or moved elsewhere")
        elif prev != self.last.mac:
            self._bad(seq, "it does not follow the record before it")
        elif not hmac.compare_digest(mac, signed(self.key, prev, body)):
            self._bad(seq, "its text is not what was signed")
        elif self._wanted.get(seq, mac) != mac:
            self._bad(seq, "the log says that another record stood here")
        else:
            self._known(seq, json.loads(body), columns)

    def _known(self, seq: int, record: dict[str, Any], columns: tuple[str, str, str, str]) -> None:
        if record["seq"] != seq:
            self._bad(seq, f"record {record['seq']} was put in its place")
        elif (record["at"], record["event"], record["actor"], record["about"]) != columns:
            self._bad(seq, "its columns do not say what its text says")
        elif record["event"] == "intent":
            self._open[seq] = None
        elif record["event"] == "outcome":
            self._open.pop(record["intent"], None)

    def _check_end(self, head: Any) -> None:
        end = self.last.seq
        latest = max(self._wanted, default=0)
        if latest > end:
            self._bad(end + 1, f"records up to {latest} are missing: the tail was cut off")
        elif head is None:
            if end:
                self._bad(end, "the head of the chain is missing")
        elif not hmac.compare_digest(head.sealed, seal(self.key, Anchor(seq=head.seq, mac=head.mac))):
            self._bad(end + 1, "the head of the chain is not what was sealed")
        elif head.seq > end:
            self._bad(end + 1, f"records up to {head.seq} are missing: the tail was cut off")
        elif (head.seq, head.mac) != (end, self.last.mac):
            self._bad(head.seq + 1, "the head of the chain was set back")

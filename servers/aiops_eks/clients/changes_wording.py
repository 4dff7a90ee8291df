"""How a change stands in a row, and how much of an answer it takes, whether of one cluster or of several.

Called by `changes` and `changes_several`.
"""

from aiops_eks.clients.wording import cut
from aiops_eks.models.change_rows import ChangeAsk
from aiops_eks.models.fields import ago
from aiops_shared.kube.changes.records import Change
from aiops_shared.results import Cell

DEFAULT_ROWS = 30
DEFAULT_BYTES, MOST_BYTES = (
    3_600,
    33_000,
)  # of rows, evidence and warnings: the door's 4,500 and 36,000 less the rest
WHAT_CHARS, CLIENT_CHARS, GAP_CHARS = 220, 48, 420
COLUMNS = ("at", "verb", "object", "by", "client", "what", "sources")


def row_of(change: Change) -> tuple[Cell, ...]:
    """A change as a row, by COLUMNS."""
    place = "/".join(part for part in (change.namespace, change.name) if part)
    early = f" (or up to {ago(change.within_s)} earlier)" if change.within_s else ""
    return (
        change.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        change.verb,
        f"{change.kind} {place}".strip(),
        change.user or None,
        cut(change.client, CLIENT_CHARS) or None,
        (cut("; ".join(change.what), WHAT_CHARS) + early).strip() or None,
        ",".join(change.sources),
    )


def row_bytes(change: Change) -> int:
    """About how much of an answer a row takes."""
    return 24 + sum(len(str(cell or "").encode()) for cell in row_of(change))


def nothing_changed(ask: ChangeAsk) -> str:
    """The hint of an answer without changes."""
    return (
        f"Searched since {ask.since}. Nothing changed, or the source that knows it is a coverage gap (see"
        " warnings), or it is older: give an earlier since."
    )

"""What the API server says beside an answer: its `Warning:` headers, kept for whoever listens.

The API server warns about deprecated versions, unknown fields, weak pod security and what admission webhooks
find (RFC 7234 `299 - "text"`; apiserver, pkg/warning). Planners listen around a dry run:

    with remarks.heard() as said:
        await kube.apply(obj, dry_run=True)
    warnings = said.texts

Listening is per task (a context variable), so calls side by side do not mix. `connection` reports here.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from aiops_shared.http.snippets import snippet

MOST = 20
# warn-code SP warn-agent SP quoted warn-text, several to a header (apimachinery, net.ParseWarningHeader).
_WARNING = re.compile(r'299 [^\s",]{1,256} "((?:[^"\\]|\\.){0,4096})"')


@dataclass(slots=True)
class Heard:
    """The texts so far, each once, in order; cut and free of control characters."""

    texts: list[str] = field(default_factory=list)

    def add(self, headers: Iterable[str]) -> None:
        """Note what these headers say."""
        for header in headers:
            for found in _WARNING.finditer(header):
                text = snippet(re.sub(r"\\(.)", r"\1", found[1]))
                if text and text not in self.texts and len(self.texts) < MOST:
                    self.texts.append(text)


_listening: ContextVar[Heard | None] = ContextVar("aiops_kube_remarks", default=None)


@contextmanager
def heard() -> Iterator[Heard]:
    """Collect what API servers remark on the calls inside."""
    said = Heard()
    before = _listening.set(said)
    try:
        yield said
    finally:
        _listening.reset(before)


def report(headers: Iterable[str]) -> None:
    """Hand `Warning` headers to whoever listens; nobody listening costs nothing."""
    if (said := _listening.get()) is not None:
        said.add(headers)

"""The approvals page as HTML: written here whole, without a script, every text escaped (T6, T7, T11).

What came from a cluster or a model is redacted, its control and direction marks are spelled out, then it is
escaped; nothing of it can start an element, leave its line or turn the reading order.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from aiops_shared.guardrails.models import FieldChange
from aiops_shared.guardrails.questions import NOT_ALL_SHOWN
from aiops_shared.guardrails.redacting import escape_untrusted, redact
from aiops_shared.remote.approvals_deciding import Shown

CHARSET: Final = "utf-8"
DIGITS: Final = 8  # of a digest, to compare with the terminal
MOST_LINES: Final = 20_000  # of one value; more than a plan keeps


@cache
def style() -> str:
    """The one style sheet."""
    return files(__package__).joinpath("approvals_page.css").read_text(CHARSET)


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    )


HEADERS: Final = {
    "content-type": f"text/html; charset={CHARSET}",
    "content-security-policy": _policy(),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def said(text: str) -> str:
    """One line of foreign text as HTML."""
    return escape(escape_untrusted(redact(text)).replace("\n", "\\n").replace("\t", "\\t"))


def whole(title: str, body: str, *, base: str, who: str = "", signed_in: bool = False) -> str:
    """A page around a body."""
    out = (
        f'<form method="post" action="{escape(base)}/sign-out"><button>Sign out</button></form>'
        if signed_in
        else ""
    )
    name = f"<span>{said(who)}</span>" if who else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{said(title)}</title><style>{style()}</style></head><body><main>"
        f'<header><a href="{escape(base)}">EKS AIOps approvals</a>{name}{out}</header>{body}'
        "</main></body></html>"
    )


def sign_in(base: str, about: str, says: str = "") -> str:
    """The form that asks for an access token."""
    warn = f'<p class="warn" role="alert">{said(says)}</p>' if says else ""
    body = (
        f'<h1>Sign in to approve</h1>{warn}<form method="post" action="{escape(base)}/sign-in">'
        f'<input type="hidden" name="next" value="{escape(about)}">'
        '<label for="token">Access token of this server\'s issuer, with the scope aiops:approve</label>'
        '<textarea id="token" name="token" required autocomplete="off" spellcheck="false" autofocus>'
        "</textarea>"
        '<p><button class="go">Sign in</button></p></form>'
        '<p class="quiet">It is sealed into a cookie that only this page gets and that ends with it.</p>'
    )
    return whole("Sign in", body, base=base)


def listed(waiting: Sequence[Shown], now: datetime) -> str:
    """The body of the list."""
    if not waiting:
        return "<h1>Nothing waits for approval</h1>"
    rows = "".join(
        f'<li><p><a href="approvals/{escape(one.id)}">{said(one.says)}</a></p>'
        f'<p class="quiet">{_kind(one)} · asked by {said(one.requester)} · {_left(one, now)}</p></li>'
        for one in waiting
    )
    return f'<h1>{len(waiting)} waiting</h1><ul class="list">{rows}</ul>'


def page_of(shown: Shown, now: datetime, csrf: str, why_not: str) -> str:
    """The body of one thing. `csrf`: the form's token; `why_not`: why this caller decides nothing."""
    lost = ", ".join(said(one) for one in shown.lost)
    facts = [
        ("Asked by", said(shown.requester)),
        ("Reason", said(shown.reason)),
        ("Cluster", said(shown.cluster)),
        ("Run", f"<code>{said(shown.run_id)}</code>, step {said(shown.step)}" if shown.run_id else ""),
        ("Procedure", said(shown.sop)),
        ("Target", said(shown.target) or "<br>".join(said(one) for one in shown.targets)),
        ("Touches", said(shown.blast_radius)),
        ("Waves", ", ".join(str(one) for one in shown.waves) if len(shown.waves) > 1 else ""),
        ("Undo", _UNDO.get(shown.reversible, "")),
        ("Lost for good", f"<strong>{lost}</strong>" if lost else ""),
        ("Rule", _rule(shown)),
        ("Time left", _left(shown, now)),
        ("Digest", f"<code>{escape(shown.digest)}</code>" if shown.digest else ""),
        ("Approval", f"<code>{escape(shown.id)}</code>"),
    ]
    listing = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts if text)
    warnings = "".join(f'<p class="warn">{said(one)}</p>' for one in (*shown.warnings, *_unseen(shown)))
    changes = "".join(_change(one) for one in shown.diff)
    diff = f"<h2>What changes</h2>{changes}" if changes else ""
    state = _STATES.get(shown.state, shown.state)
    by = f" by {said(shown.approver)}" if shown.approver else ""
    return (
        f'<p class="quiet">{_kind(shown)} <span class="state">{escape(state)}{by}</span></p>'
        f"<h1>{said(shown.says)}</h1>{warnings}<dl>{listing}</dl>{diff}{_buttons(shown, csrf, why_not)}"
    )


def told(title: str, text: str) -> str:
    """The body of a refusal, or of what a decision came to."""
    return f'<h1>{said(title)}</h1><p class="warn" role="alert">{said(text)}</p>'


_UNDO: Final = {
    "full": "can be undone whole",
    "partial": "can be undone in part",
    "none": "<strong>cannot be undone</strong>",
}
_STATES: Final = {
    "pending": "waits",
    "approved": "approved, not executed yet",
    "used": "approved and executed",
    "expired": "its time is over",
    "yes": "answered: yes",
    "no": "answered: no",
}


def _kind(one: Shown) -> str:
    return "Question of a run" if one.of == "question" else "Change"


def _rule(shown: Shown) -> str:
    whom = {"other": "somebody other than who asked", "requester": "who asked, or an approver"}
    why = f": {said(shown.why)}" if shown.why else ""
    return f"{said(shown.rule)}{why}; wants {whom.get(shown.needs, said(shown.needs))}" if shown.rule else ""


def _left(one: Shown, now: datetime) -> str:
    until = f"until {one.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    left = one.expires_at - now
    if left <= timedelta(0):
        return f"over ({until})"
    minutes = int(left.total_seconds()) // 60
    word = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
    return f"{word if minutes else 'less than a minute'} ({until})"


def _unseen(shown: Shown) -> tuple[str, ...]:
    values = [value for change in shown.diff for value in (change.before, change.after)]
    if not any(NOT_ALL_SHOWN in value for value in values):
        return ()
    return ("A value is longer than a plan keeps: not all of the change is shown here.",)


def _change(change: FieldChange) -> str:
    before, after = (
        _lines("del", "-", change.before or "(none)"),
        _lines("add", "+", change.after or "(removed)"),
    )
    return f'<div class="change"><p>{said(change.path)}</p><div>{before}{after}</div></div>'


def _lines(kind: str, sign: str, text: str) -> str:
    """A value's lines, each with its sign, in one element: ten thousand stay one."""
    lines = escape_untrusted(redact(text)).splitlines() or [""]
    more = len(lines) - MOST_LINES
    shown = [*lines[:MOST_LINES], *([f"… {more} more lines: {NOT_ALL_SHOWN}"] if more > 0 else [])]
    body = escape("\n".join(f"{sign} {line}" for line in shown))
    return f'<pre class="{kind}">{body}</pre>'


def _buttons(shown: Shown, csrf: str, why_not: str) -> str:
    if not shown.waits:
        return ""
    if why_not:
        command = f"<code>eks-aiops approve {escape(shown.id)}</code>"
        return f'<div class="decide"><p>{said(why_not)}. At a terminal: {command}</p></div>'
    yes, no = ("Yes", "No") if shown.of == "question" else ("Approve", "Decline")
    return (
        '<form class="decide" method="post">'
        f'<input type="hidden" name="csrf" value="{escape(csrf)}">'
        f'<input type="hidden" name="digest" value="{escape(shown.digest)}">'
        f"<p>Digest <strong>{escape(shown.digest[:DIGITS])}</strong>:"
        " the same as in the terminal and in the plan?</p>"
        f'<button name="decision" value="decline">{no}</button>'
        f'<button class="go" name="decision" value="approve">{yes}</button></form>'
    )

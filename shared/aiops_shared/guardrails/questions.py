"""What a person reads when they are asked through their client: one plan, or one question of a run.

Everything that came from a cluster or a model stays on one line: a newline or an escape sequence in it could
otherwise forge a line of the question that a person answers (T7).
"""

from typing import Final

from aiops_shared.guardrails.models import PendingApproval
from aiops_shared.guardrails.redacting import escape_untrusted, redact

NOT_ALL_SHOWN: Final = "NOT ALL OF THE CHANGE IS SHOWN"
SHOWN: Final = 400
FIELDS_SHOWN: Final = 20
VALUE_SHOWN: Final = 500  # more than a plan keeps of a value


def flat(text: str) -> str:
    """On one line, every control character spelled out."""
    return escape_untrusted(text).replace("\n", "\\n").replace("\t", "\\t")


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and how long it was."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def one_line(text: str, limit: int = SHOWN) -> str:
    """Redacted, every control character and line break spelled out, at most `limit` characters."""
    return cut(flat(redact(text)), limit)


def plan_question(pending: PendingApproval) -> str:
    """The sentence, every changed field, what it touches and why it asks."""
    lines = [f"Approve: {one_line(pending.confirm, 900)}", ""]
    lines += [
        f"  {one_line(change.path, VALUE_SHOWN)}: {_value(change.before, '(none)')} ->"
        f" {_value(change.after, '(removed)')}"
        for change in pending.diff[:FIELDS_SHOWN]
    ]
    lost = f"; lost: {', '.join(one_line(each, 120) for each in pending.lost[:5])}" if pending.lost else ""
    lines += ["", f"Touches: {one_line(pending.blast_radius)}"]
    lines += [f"Undo: {pending.reversible}{lost}. Rule: {pending.rule}."]
    if pending.reason:
        lines.append(f"Reason given by {one_line(pending.requester, 80)}: {one_line(pending.reason, 300)}")
    return "\n".join(lines)


def fits_a_question(pending: PendingApproval) -> bool:
    """Whether the question shows the whole change."""
    values = [value for change in pending.diff for value in (change.before, change.after)]
    return len(pending.diff) <= FIELDS_SHOWN and not any(NOT_ALL_SHOWN in value for value in values)


def run_question(sop: str, step: str, target: str, question: str) -> str:
    """Which run asks, and what."""
    where = f"{one_line(sop, 128)}, step {one_line(step, 200)}, for {one_line(target)}"
    return f"A run of {where} asks:\n\n  {one_line(question, 2_000)}"


def _value(text: str, absent: str) -> str:
    return one_line(text, VALUE_SHOWN) or absent

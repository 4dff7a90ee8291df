"""What one object says of itself, as a piece of evidence.

Called by the rules over kinds that have conditions or numbers rather than events.
"""

from aiops_eks.diagnosis.objects import Condition, Ref
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_shared.results import Evidence


def stated(ref: Ref, part: str, says: str) -> Evidence:
    """What a part of an object holds, in our words."""
    return Evidence(source="kubernetes", query=f"{ref} {part}", says=says)


def condition_evidence(ref: Ref, found: Condition) -> Evidence:
    """One condition of an object, its message quoted."""
    words = f": {quoted(found.message)}" if found.message else ""
    says = f"{plain_name(found.status)}, {plain_name(found.reason) or 'no reason'}{words}"
    return Evidence(source="kubernetes", query=f"{ref} condition {plain_name(found.type)}", says=says)

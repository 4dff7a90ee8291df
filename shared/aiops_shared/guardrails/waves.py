"""How far a change goes at once: one (canary) → 10 % → 50 % → all (architecture, "The one hand").

Planners ask `wave_sizes`; the run walks `wave_ranges`. Within a wave at most max(1, 10 %) are touched
together (D9).
"""

from collections.abc import Sequence

_SHARES_PCT = (10, 50, 100)


def wave_sizes(targets: int) -> tuple[int, ...]:
    """Targets per wave for so many targets; sums to `targets`."""
    done, sizes = min(1, targets), [1] if targets else []
    for share in _SHARES_PCT:
        upto = max(done, targets * share // 100)
        if upto > done:
            sizes.append(upto - done)
            done = upto
    return tuple(sizes)


def wave_ranges(waves: Sequence[int]) -> list[range]:
    """The indexes of the targets of each wave, in order."""
    starts = [sum(waves[:index]) for index in range(len(waves))]
    return [range(start, start + size) for start, size in zip(starts, waves, strict=True)]


def at_once(targets: int) -> int:
    """How many targets may be touched together (D9)."""
    return max(1, targets // 10)

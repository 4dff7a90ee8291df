"""An amount split by weights so that the parts sum to it exactly: the method of the largest remainder.

Used wherever a bill is divided: over nodes, pods, volumes, log groups, and down to shown cents.
"""

from collections.abc import Sequence


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` in parts that stand to each other as `weights` do, to the unit, and sum to it.

    Weights are whole and not negative; where all are 0 the last part takes everything. Units that the
    division leaves over go to the largest remainders, the first of equal ones. A negative amount (a credit)
    is split as its opposite.
    """
    if not weights:
        raise ValueError("nothing to split over")
    whole = sum(weights)
    if whole == 0:
        return [*([0] * (len(weights) - 1)), amount]
    if amount < 0:
        return [-part for part in split(-amount, weights)]
    pairs = [divmod(amount * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in pairs]
    left = amount - sum(parts)
    if left:
        by_remainder = sorted(range(len(pairs)), key=lambda place: (-pairs[place][1], place))
        for place in by_remainder[:left]:
            parts[place] += 1
    return parts

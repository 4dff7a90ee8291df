"""What the evaluation counts: a hit is the first finding at the right place, all unplayed ones alarm."""

from evals.outcomes import (
    Bin,
    Found,
    Outcome,
    Place,
    calibration,
    expected_calibration_error,
    scored,
)

HERE: Place = ("PVC_LOST", "PersistentVolumeClaim", "production", "data")
ELSEWHERE: Place = ("PVC_LOST", "PersistentVolumeClaim", "production", "other")


def _played(*found: Place, expected: tuple[Place, ...] = (HERE,), sure: float = 0.9) -> Outcome:
    return Outcome("PVC_LOST", "positive", "pvc-lost", 0, expected, tuple(Found(one, sure) for one in found))


def test_the_right_cause_at_another_object_is_a_miss_and_an_alarm() -> None:
    outcome = _played(ELSEWHERE)
    assert not outcome.first_is_right
    assert [each.place for each in outcome.false_alarms] == [ELSEWHERE]
    assert outcome.missed == (HERE,)


def test_the_cause_in_second_place_is_no_hit() -> None:
    outcome = _played(ELSEWHERE, HERE)
    assert not outcome.first_is_right
    assert not outcome.missed
    assert not outcome.is_right


def test_nothing_found_where_nothing_was_played_is_right() -> None:
    assert _played(expected=()).is_right
    assert not _played(HERE, expected=()).is_right


def test_a_cause_counts_only_its_own_trials_and_is_complete_with_all_three_sides() -> None:
    other = Outcome("PVC_PENDING", "positive", "pvc-pending", 0, (HERE,), ())
    score = scored("PVC_LOST", [_played(HERE), _played(), other])
    assert (score.positives, score.first, score.recall) == (2, 1, 0.5)
    assert score.wrong == ("pvc-lost seed 0",)
    assert not score.is_complete


def test_a_cause_that_was_never_played_has_no_recall() -> None:
    assert scored("PVC_LOST", []).recall is None


def test_calibration_compares_how_sure_with_how_right() -> None:
    outcomes = [_played(HERE, sure=0.95), _played(ELSEWHERE, sure=0.95), _played(HERE, sure=0.75)]
    bins = calibration(outcomes)
    assert bins == (Bin(0.7, 0.8, 1, 1, 0.75), Bin(0.9, 1.01, 2, 1, 0.95))
    assert round(expected_calibration_error(bins), 3) == round((0.25 + 2 * 0.45) / 3, 3)

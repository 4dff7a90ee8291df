"""What a trial is: a scenario that tries one cause of `docs/causes.md`, from one of three sides.

Every cause has at least one trial of each role. `make eval` plays them all with several seeds in the lab, and
the recorded worlds again on a real API server; `tests/eks/test_diagnose_trials.py` plays two seeds of each.
"""

from dataclasses import dataclass
from typing import Literal

from aiops_lab.scenarios.base import Build, Expect, Expected, Scenario, nothing
from aiops_lab.scenarios.names import Names

Role = Literal["positive", "look_alike", "recovered"]
HOME = "production"
FIXTURE = "trial"  # the scenarios' page has no id for these


@dataclass(frozen=True, slots=True)
class Trial:
    """One world that tries a cause.

    positive: the cause is at work, the first finding names it and there is no other. look_alike: shows the
    same symptom for another reason, or for none; its scenario expects that other finding, or nothing.
    recovered: the cause was at work and is over, or is still within its time; nothing is expected.
    `needs_aws`: its evidence stands in AWS too, so whoever plays it must let the diagnosis ask the lab's.
    """

    code: str
    role: Role
    scenario: Scenario
    needs_aws: bool = False


def at(code: str, kind: str, name: str, namespace: str = HOME, *, hurts_kind: str = "") -> Expect:
    """Expects this one finding; `{api}` and the other words of the cast stand for names in `name`.

    It hurts itself, or the `hurts_kind` of the story's own name. One without a namespace hurts `HOME`.
    """

    def expect(names: Names) -> tuple[Expected, ...]:
        where = name.format(api=names.api, worker=names.worker, config=names.config)
        itself = (hurts_kind, names.api) if hurts_kind else (kind, where)
        hurts = itself if namespace else ("Namespace", HOME)
        return (Expected(code, kind, namespace, where, *hurts),)

    return expect


def trial(
    code: str,
    role: Role,
    build: Build,
    expect: Expect = nothing,
    *,
    says: str,
    variant: str = "",
    needs_aws: bool = False,
) -> Trial:
    """A trial whose scenario is named after its cause, role and variant: `pvc-pending-positive-no-class`."""
    words = "-".join(filter(None, (code, role, variant))).lower().replace("_", "-")
    told = Scenario(words, f"Trial of {code}: {role}", says, FIXTURE, build, expect)
    return Trial(code, role, told, needs_aws)

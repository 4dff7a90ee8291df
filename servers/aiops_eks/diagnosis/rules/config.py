"""A ConfigMap, a Secret or a key that is needed and not there.

Three ways to the same cause (C7): a required reference stops the container from being created, a volume
stops the pod from starting, and an optional reference lets the program start and fail by itself.
Sources: `pkg/kubelet/kubelet_pods.go` (makeEnvironmentVariables), `pkg/volume/configmap`,
`pkg/volume/secret`.
"""

import re

from aiops_eks.diagnosis.blame import Blame, blamed, names, telling_line, variables
from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Event, Lookup, Need, Ref
from aiops_shared.results import Evidence

SOP = "pod-crashloop"
KINDS = {"configmap": "ConfigMap", "secret": "Secret"}
_NOT_FOUND = re.compile(r"\b(configmap|secret) \"([a-z0-9.-]{1,253})\" not found")
_NO_KEY = re.compile(
    r"couldn't find key ([\w.-]{1,253}) in (ConfigMap|Secret) (?:[a-z0-9-]{1,63}/)?([a-z0-9.-]{1,253})"
)
_NO_VOLUME_KEY = re.compile(r"references non-existent (?:config|secret) key: ([\w.-]{1,253})")
_VOLUME = re.compile(r"for volume \"([^\"]{1,63})\"")

CONFIGMAP_MISSING = Cause(
    code="CONFIGMAP_MISSING",
    severity="high",
    means="A ConfigMap that a workload needs does not exist.",
    told_by='The kubelet says `configmap "x" not found` (container not created, volume not mounted), or the '
    "reference is optional, a lookup finds nothing and the program's own last words name the ConfigMap or a "
    "missing setting. When the log blames something else, it is APP_ERROR and the absence is noted.",
    source="pkg/kubelet/kubelet_pods.go; pkg/volume/configmap/configmap.go",
    next_step="restore the ConfigMap from git or a snapshot with plan_manifest(action=apply); the pods "
    "then start "
    "by themselves (a restart does not help)",
    sop=SOP,
)
SECRET_MISSING = Cause(
    code="SECRET_MISSING",
    severity="high",
    means="A Secret that a workload needs does not exist.",
    told_by='As CONFIGMAP_MISSING, with `secret "x" not found`. A pull secret that is missing is IMAGE_AUTH.',
    source="pkg/kubelet/kubelet_pods.go; pkg/volume/secret/secret.go",
    next_step="restore the Secret from its source (secrets manager, sealed secret, git); it is never "
    "written from here",
    sop=SOP,
)
CONFIG_KEY_MISSING = Cause(
    code="CONFIG_KEY_MISSING",
    severity="high",
    means="A ConfigMap or Secret exists but lacks a key that a workload needs.",
    told_by="`couldn't find key k in ConfigMap x` or `references non-existent config key`, or the "
    "program's last "
    "words name a variable that no key of the existing ConfigMap gives.",
    source="pkg/kubelet/kubelet_pods.go; pkg/volume/util",
    next_step="add the key with plan_manifest(action=apply), or correct the reference",
    sop=SOP,
)


def _reports(case: Case) -> list[tuple[str, Event | None]]:
    """What the kubelet says about this container's configuration or this pod's volumes, newest first."""
    container = case.container
    said: list[tuple[str, Event | None]] = [
        (e.message, e) for e in case.recent("Failed", "FailedMount", within_s=3600.0)
    ]
    if container is not None and container.waiting_reason == "CreateContainerConfigError":
        return [(container.waiting_message, None), *[(m, e) for m, e in said if e and e.reason == "Failed"]]
    return [(m, e) for m, e in said if e and e.reason == "FailedMount"] if container is None else []


def refused_by_kubelet(case: Case) -> Told | None:
    """CONFIGMAP_MISSING or SECRET_MISSING: the kubelet says that the object is not there."""
    for message, _ in _reports(case):
        if match := _NOT_FOUND.search(message):
            target = Ref(KINDS[match[1]], case.pod.namespace, match[2])
            lookup = case.facts.lookup(target)
            if lookup is not None and lookup.exists:
                continue  # made in the meantime; the kubelet tries again by itself
            return _missing(case, target, lookup, _kubelet_evidence(case, match[0]))
    return None


def _kubelet_evidence(case: Case, words: str) -> tuple[Evidence, ...]:
    found = [e for e in case.recent("Failed", "FailedMount", within_s=3600.0) if words in e.message]
    return (case.status_evidence(), *(case.event_evidence(e) for e in found[:1]))


def _missing(case: Case, target: Ref, lookup: Lookup | None, said: tuple[Evidence, ...]) -> Told:
    evidence = said if lookup is None else (*said, case.lookup_evidence(lookup))
    needs = [n for n in case.pod.needs if n.target == target]
    where = f" ({needs[0].via})" if needs else ""
    return Told(
        cause=CONFIGMAP_MISSING if target.kind == "ConfigMap" else SECRET_MISSING,
        at=target,
        subject=case.subject,
        predicate=f"cannot start: {target.kind} {target.name} does not exist",
        root_cause=f"{case.subject} refers to {target.kind} {target.namespace}/{target.name}{where}, "
        f"which does not "
        "exist, so the kubelet cannot start its containers.",
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=len(evidence) + bool(needs),
        ruled_out=("application error: the container never started",) if not _ever_ran(case) else (),
    )


def absent_volume(case: Case) -> Told | None:
    """CONFIGMAP_MISSING or SECRET_MISSING: no event says so any more, the lookup does."""
    if case.container is not None or not case.pod.node or case.pod.deleted_at is not None:
        return None
    required = [pair for pair in case.absent() if pair[0].via.startswith("volume") and not pair[0].optional]
    if not required:
        return None
    need, lookup = required[0]
    return _missing(case, need.target, lookup, (case.status_evidence(),))


def _ever_ran(case: Case) -> bool:
    return any(c.death is not None for c in case.pod.containers)


def key_refused_by_kubelet(case: Case) -> Told | None:
    """CONFIG_KEY_MISSING: the kubelet says that the key is not there."""
    for message, _ in _reports(case):
        if found := _absent_key(case, message):
            key, target, words = found
            return _key_missing(case, target, key, _kubelet_evidence(case, words), "cannot start")
    return None


def _absent_key(case: Case, message: str) -> tuple[str, Ref, str] | None:
    if match := _NO_KEY.search(message):
        return match[1], Ref(match[2], case.pod.namespace, match[3]), match[0]
    match, volume = _NO_VOLUME_KEY.search(message), _VOLUME.search(message)
    if match and volume:
        need = next((n for n in case.pod.needs if n.via == f"volume {volume[1]}"), None)
        return (match[1], need.target, match[0]) if need else None
    return None


def _key_missing(case: Case, target: Ref, key: str, said: tuple[Evidence, ...], verb: str) -> Told:
    lookup = case.facts.lookup(target)
    evidence = said if lookup is None else (*said, case.lookup_evidence(lookup))
    return Told(
        cause=CONFIG_KEY_MISSING,
        at=target,
        subject=case.subject,
        predicate=f"{verb}: {target.kind} {target.name} has no key {key}",
        root_cause=f"{case.subject} needs the key {key} of {target.kind} "
        f"{target.namespace}/{target.name}; the "
        "object exists, the key does not.",
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=len(evidence),
        ruled_out=(f"{target.kind} {target.name} missing: it exists",) if lookup and lookup.exists else (),
    )


def missed_by_program(case: Case) -> Told | None:
    """CONFIGMAP_MISSING or SECRET_MISSING: an optional reference, and the program fails without it."""
    if case.container is None or case.container.death is None or case.container.death.exit_code == 0:
        return None
    absent = case.absent()
    line = telling_line(case.lines)
    chosen = _blamed_absence(line, absent)
    if chosen is None:
        return None
    need, lookup = chosen
    return _program_missed(case, need, lookup, line)


def _blamed_absence(line: str, absent: tuple[tuple[Need, Lookup], ...]) -> tuple[Need, Lookup] | None:
    """The absent object that the line names; or the only absent one, when the line blames a setting."""
    named = [pair for pair in absent if names(line, pair[0].target.name)]
    if named:
        return named[0]
    open_question = not line or blamed(line) is Blame.SETTING
    return absent[0] if len(absent) == 1 and open_question else None


def _program_missed(case: Case, need: Need, lookup: Lookup, line: str) -> Told:
    target, named = need.target, names(line, need.target.name)
    evidence = [case.status_evidence(), case.lookup_evidence(lookup)]
    if line:
        evidence.insert(1, case.log_evidence(line))
    doubt = 0 if named else 1 if line else 2
    says = " and its last log line asks for it" if named else ""
    return Told(
        cause=CONFIGMAP_MISSING if target.kind == "ConfigMap" else SECRET_MISSING,
        at=target,
        subject=case.subject,
        predicate=f"crashes: {target.kind} {target.name} does not exist",
        root_cause=f"{case.subject} takes settings from the optional {target.kind} "
        f"{target.namespace}/{target.name} "
        f"({need.via}), which does not exist{says}; the container starts without them and exits.",
        hurts=(case.pod.ref,),
        evidence=tuple(evidence),
        agree=len(evidence) + named,
        doubt=doubt,
        ruled_out=_also_checked(case),
    )


def _also_checked(case: Case) -> tuple[str, ...]:
    container = case.container
    reason = container.death.reason if container and container.death else ""
    found = [] if reason == "OOMKilled" else ["out of memory: the last run was not OOMKilled"]
    if not any(e.reason == "Unhealthy" for e in case.events):
        found.append("liveness probe: no Unhealthy event")
    return tuple(found)


def key_missed_by_program(case: Case) -> Told | None:
    """CONFIG_KEY_MISSING: every referenced object exists, and none gives what the log asks for."""
    container = case.container
    if container is None or container.death is None or container.death.exit_code == 0 or case.absent():
        return None
    line = telling_line(case.lines)
    if blamed(line) is not Blame.SETTING:
        return None
    bulk = [(n, case.facts.lookup(n.target)) for n in case.needs if n.via == "envFrom"]
    known = {key for _, found in bulk if found and found.keys is not None for key in found.keys}
    whole = bool(bulk) and all(found and found.keys is not None for _, found in bulk)
    lacking = [v for v in variables(line) if v not in known and v not in container.literal_env]
    given = {n.via.removeprefix("env ") for n in case.needs if n.via.startswith("env ")}
    if not whole or not lacking or lacking[0] in given:
        return None
    evidence = (case.status_evidence(), case.log_evidence(line))
    return _key_missing(case, bulk[0][0].target, lacking[0], evidence, "crashes")


BY_KUBELET = (
    CaseRule((CONFIGMAP_MISSING, SECRET_MISSING), refused_by_kubelet),
    CaseRule((CONFIG_KEY_MISSING,), key_refused_by_kubelet),
    CaseRule((CONFIGMAP_MISSING, SECRET_MISSING), absent_volume),
)
BY_PROGRAM = (
    CaseRule((CONFIGMAP_MISSING, SECRET_MISSING), missed_by_program),
    CaseRule((CONFIG_KEY_MISSING,), key_missed_by_program),
)

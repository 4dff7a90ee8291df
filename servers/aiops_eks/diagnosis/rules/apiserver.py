"""An API server that takes no more: too many requests, or a store that is full.

Both are told by programs and controllers that the API server answered so; many of them say the same, and it
is one finding. A client that waits by its own choice (`client-side throttling` in a log) is slow and no
finding as long as it lives.
Sources: `k8s.io/apiserver/pkg/util/flowcontrol`, `etcd/server/etcdserver/api/v3rpc`.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.case import EVENT_RECENT_S, Case, event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Ref
from aiops_shared.results import Evidence

API_SERVER = Ref("Service", "default", "kubernetes")  # what stands for the API server in every cluster
ENOUGH = 3  # of one program's lines that it was made to wait
_FULL = re.compile(r"mvcc: database space exceeded")
_TOO_MANY = re.compile(r"the server has received too many requests and has asked us to try again later")
_WAITED = re.compile(r"due to client-side throttling, not priority and fairness")
_LOST = re.compile(r"leader ?election lost|failed to renew lease|lost lease", re.IGNORECASE)
ETCD_SPACE_EXCEEDED = Cause(
    code="ETCD_SPACE_EXCEEDED",
    severity="critical",
    means="The API server's store is full: nothing can be written any more.",
    told_by="`etcdserver: mvcc: database space exceeded` in a program's log or in a recent event.",
    source="go.etcd.io/etcd/api/v3/v3rpc/rpctypes",
    next_step="delete what floods it (finished Jobs, stale custom objects); on EKS, ask AWS support",
)
API_THROTTLED = Cause(
    code="API_THROTTLED",
    severity="high",
    means="The API server turns requests away because there are too many (429).",
    told_by="`the server has received too many requests` in a program's last words or in events. A client "
    "that throttles itself is CLIENT_THROTTLED.",
    source="k8s.io/apiserver/pkg/util/flowcontrol",
    next_step="find who floods it (audit log, apiserver_flowcontrol_rejected_requests_total)",
)
CLIENT_THROTTLED = Cause(
    code="CLIENT_THROTTLED",
    severity="high",
    means="A program's own client limits its requests so much that it loses its lease and dies.",
    told_by="Several lines `client-side throttling` and a lost lease in the log of a run that ended. Such "
    "lines alone are no finding.",
    source="k8s.io/client-go/rest/request.go",
    next_step="raise the client's qps and burst by its flags or settings, or let it list less",
)


def _refused(cause: Cause, words: str, who: Ref, hurts: Ref, evidence: tuple[Evidence, ...]) -> Told:
    return Told(
        cause=cause,
        at=API_SERVER,
        subject=who,
        predicate=f"is turned away by the API server: {words}",
        root_cause=f"The API server turns requests away: {words}.",
        hurts=(hurts,),
        evidence=evidence,
        agree=3,
        ruled_out=("the program: it reports what the API server answered",),
    )


_ANSWERS = (
    (ETCD_SPACE_EXCEEDED, _FULL, "its store is full"),
    (API_THROTTLED, _TOO_MANY, "too many requests"),
)


def by_program(case: Case) -> Told | None:
    """All three, by the last words of a run that ended."""
    container = case.container
    if container is None or container.death is None or container.death.exit_code == 0:
        return None
    for cause, pattern, words in _ANSWERS:
        line = next((each for each in reversed(case.lines[-10:]) if pattern.search(each)), "")
        if line:
            said = (case.status_evidence(), case.log_evidence(line))
            return _refused(cause, words, case.subject, case.pod.ref, said)
    return _slow(case)


def _slow(case: Case) -> Told | None:
    waited = [line for line in case.lines if _WAITED.search(line)]
    lost = [line for line in case.lines[-10:] if _LOST.search(line)]
    if len(waited) < ENOUGH or not lost:
        return None
    return Told(
        cause=CLIENT_THROTTLED,
        at=case.subject,
        subject=case.subject,
        predicate="loses its lease: its own client throttles it",
        root_cause=f"The client in {case.subject} waited {len(waited)} times by its own limit and then lost "
        "its lease, which ends the program.",
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), case.log_evidence(waited[-1]), case.log_evidence(lost[-1])),
        agree=3,
        ruled_out=("the API server: it turned nothing away",),
    )


def by_events(facts: Facts) -> Iterator[Told]:
    """ETCD_SPACE_EXCEEDED and API_THROTTLED, by what controllers say about their objects."""
    for event in facts.events:
        if not event.warning or facts.age_s(event.last_at) > EVENT_RECENT_S:
            continue
        for cause, pattern, words in _ANSWERS:
            if pattern.search(event.message):
                yield _refused(cause, words, event.about, event.about, (event_evidence(facts, event),))


BY_PROGRAM = (CaseRule((ETCD_SPACE_EXCEEDED, API_THROTTLED, CLIENT_THROTTLED), by_program),)
RULES = (WorldRule((ETCD_SPACE_EXCEEDED, API_THROTTLED), by_events),)

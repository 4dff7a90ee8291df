"""Manifests that still name an API version which Kubernetes has taken away.

The object lives on in a newer version; the next apply of its manifest fails, and so does a restore or a new
cluster. Looked at for the kinds that every diagnosis reads anyway.
Sources: `k8s.io/api/*/zz_generated.prerelease-lifecycle.go` (APILifecycleRemoved),
https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.workloads import Autoscaler, Budget, CronJob
from aiops_eks.diagnosis.quoting import plain_name

REMOVED: dict[tuple[str, str], tuple[str, str]] = {  # kind and version: since when, and what took its place
    ("HorizontalPodAutoscaler", "autoscaling/v2beta1"): ("1.25", "autoscaling/v2"),
    ("HorizontalPodAutoscaler", "autoscaling/v2beta2"): ("1.26", "autoscaling/v2"),
    ("PodDisruptionBudget", "policy/v1beta1"): ("1.25", "policy/v1"),
    ("CronJob", "batch/v1beta1"): ("1.25", "batch/v1"),
    ("CronJob", "batch/v2alpha1"): ("1.21", "batch/v1"),
}
DEPRECATED_API = Cause(
    code="DEPRECATED_API",
    severity="info",
    means="An object's manifest names an API version that Kubernetes has removed.",
    told_by="The last applied configuration, or the newest writer, names a version of the list of removals. "
    "The object itself is well; its next apply is not.",
    source="https://kubernetes.io/docs/reference/using-api/deprecation-guide/",
    next_step="correct apiVersion in the manifest's source; plan_manifest(action=apply) shows the change",
)


def deprecated(facts: Facts) -> Iterator[Told]:
    """DEPRECATED_API."""
    found: list[Autoscaler | Budget | CronJob] = [
        *facts.all(Autoscaler),
        *facts.all(Budget),
        *facts.all(CronJob),
    ]
    for one in found:
        removed = REMOVED.get((one.ref.kind, one.written_as))
        if removed is None:
            continue
        version = plain_name(one.written_as)
        yield Told(
            cause=DEPRECATED_API,
            at=one.ref,
            subject=one.ref,
            predicate=f"was written as {version}, which is gone since {removed[0]}",
            root_cause=f"The manifest of {one.ref} names {version}, removed in Kubernetes {removed[0]}: its "
            f"next apply fails until it says {removed[1]}.",
            hurts=(one.ref,),
            evidence=(
                stated(one.ref, "last applied configuration or newest writer", version),
                stated(one.ref, "list of removals", f"{version} removed in {removed[0]}, now {removed[1]}"),
            ),
            agree=3,
            ruled_out=("the object itself: it is served in a newer version",),
        )


RULES = (WorldRule((DEPRECATED_API,), deprecated),)

"""A fix writes into the text as it stands: comments, order, quotes and line ends stay."""

import difflib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_eks.diagnosis.scanning.placing import sheet
from aiops_eks.diagnosis.scanning.reporting import Scanned, report
from aiops_shared.kube.manifests import dump_manifests, load_manifests
from tests.eks.scanning.making import pod, text_of

ANEW = "were written anew"


def fixed(text: str) -> Scanned:
    return report(sheet(text), "restricted", fix=True)


def removed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line[2:] for line in lines if line.startswith("- ")]


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**6))
def test_a_patch_reads_as_the_repaired_object_and_a_second_fix_changes_nothing(seed: int) -> None:
    rng = Random(seed)
    scanned = fixed(text_of(rng, pod(rng)))
    if not scanned.report.patched:
        return
    assert load_manifests(scanned.report.patched) == list(scanned.wished)
    again = fixed(scanned.report.patched)
    assert again.report.patched == ""
    assert again.wished == scanned.wished
    assert again.report.remaining == scanned.report.remaining


_TOUCHED = (
    *(
        "runAs",
        "privileged",
        "allowPrivilegeEscalation",
        "readOnlyRoot",
        "capabilities",
        "drop",
        "add",
        "type",
    ),
    *("host", "seccomp", "appArmor", "seLinux", "user", "role", "procMount", "localhost", "automount", "- "),
)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6))
def test_lines_that_no_repair_touches_stay_byte_for_byte(seed: int) -> None:
    rng = Random(seed)
    text = dump_manifests([pod(rng)])
    text = text.replace("name: one", "name:   'one'  # the   pod").replace("\n", "\r\n" if seed % 2 else "\n")
    scanned = fixed(text)
    assert not any(ANEW in note for note in scanned.report.notes)
    if not scanned.report.patched:
        return
    after = iter(scanned.report.patched.splitlines())
    untouched = [line for line in text.splitlines() if not line.strip().startswith(_TOUCHED)]
    assert all(line in after for line in untouched), "kept, and in order"
    if seed % 2:
        assert "\n" not in scanned.report.patched.replace("\r\n", "")


COMMENTED = """\
# Deployed by hand since 2019.
apiVersion: apps/v1   # was extensions/v1beta1
kind: Deployment
metadata:
    name: "web"
    labels: {app: web,   tier: "front"}
spec:
    selector: {matchLabels: {app: web}}
    template:
        metadata: {labels: {app: web}}
        spec:
            containers:
                # the program
                -   name: web
                    image: 'repo.example/web:1.2'
                    command: [sh, -c]
                    args:
                    - |
                        # not a comment
                        exec web   --port  8080

                    securityContext:
                        runAsUser: 0    # TODO: not root
                    # sizes come from the load test
                    resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {memory: 1Gi}}
---
# untouched
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}], selector: {app: web}}
"""


def test_comments_order_odd_indents_and_block_scalars_stay_and_unchanged_documents_are_left_out() -> None:
    scanned = fixed(COMMENTED)
    first = COMMENTED.split("---\n")[0]
    assert removed(first, scanned.report.patched) == [
        "                        runAsUser: 0    # TODO: not root"
    ]
    assert "runAsUser: 1000    # TODO: not root" in scanned.report.patched
    assert "patched leaves out 1 documents that did not change" in scanned.report.notes


SHARED = """\
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  automountServiceAccountToken: false
  containers:
  - name: a
    image: repo/a:1
    securityContext: &same   # for both
      runAsUser: 0
  - name: b
    image: repo/b:1
    securityContext: *same
"""


def test_an_anchor_whose_users_want_the_same_is_written_once() -> None:
    scanned = fixed(SHARED)
    assert not any(ANEW in note for note in scanned.report.notes)
    assert "securityContext: &same   # for both" in scanned.report.patched
    assert "securityContext: *same" in scanned.report.patched


def test_an_anchor_whose_users_part_is_written_anew_and_that_is_said() -> None:
    text = SHARED.replace("  - name: b", "  - name: b\n    ports: [{containerPort: 80}]").replace(
        "metadata: {name: two}", "metadata:\n  name: two\n  annotations: &same2 {runAsUser: '0'}"
    )
    text = text.replace("kind: Pod\n", "kind: Pod\nx-note: *nothing\n").replace("*nothing", "1")
    parted = text.replace("&same   # for both\n      runAsUser: 0", "&same\n      runAsUser: 0").replace(
        "securityContext: *same", "securityContext: {<<: *same, privileged: true}"
    )
    scanned = fixed(parted)
    assert load_manifests(scanned.report.patched) == list(scanned.wished)


@pytest.mark.threat("T6")
def test_secret_values_are_masked_in_what_is_written_and_that_is_said() -> None:
    canary = "plantedScanCanary7Qx"
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {db-password: " + canary + "}}\n"
        "spec:\n  containers:\n  - name: a\n    image: repo/a:1\n    args: [--db-password=" + canary + "]\n"
        "    env:\n    - {name: API_TOKEN, value: " + canary + "}\n"
    )
    scanned = fixed(text)
    assert canary not in scanned.report.model_dump_json()
    assert any("masked" in note for note in scanned.report.notes)
    assert load_manifests(scanned.report.patched)[0]["spec"]["containers"][0]["env"][0]["valueFrom"]


def test_a_secret_document_beside_a_repaired_one_is_not_written_out() -> None:
    text = (
        SHARED + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: plantedScan8Rt}\n"
    )
    scanned = fixed(text)
    assert "plantedScan8Rt" not in scanned.report.model_dump_json()
    assert "kind: Secret" not in scanned.report.patched


_JSON = (
    '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "j"},'
    ' "spec": {"containers": [{"name": "a", "image": "repo/a:1"}]}}'
)


@pytest.mark.parametrize("text", [_JSON, f"\ufeff{_JSON}", f"--- {_JSON}\n", f"# json\n---\n{_JSON}\n...\n"])
def test_json_byte_order_marks_and_document_markers_are_written_in_place(text: str) -> None:
    scanned = fixed(text)
    assert not any(ANEW in note for note in scanned.report.notes)
    assert '"readOnlyRootFilesystem": true' in scanned.report.patched
    assert load_manifests(scanned.report.patched) == list(scanned.wished)

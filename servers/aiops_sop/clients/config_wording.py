"""What people read beside generated files: the summary, what they must decide, the pull request."""

from collections.abc import Sequence

from aiops_shared.kube.sizes import cores, mebibytes
from aiops_sop.analysis.configs.documents import Draft
from aiops_sop.analysis.configs.facts import Container, Workload
from aiops_sop.analysis.configs.reasons import RULE, Reason
from aiops_sop.models.configs import GeneratedFile, PullRequest

MOST_REASONS = 12


def said(workload: Workload, files: Sequence[GeneratedFile]) -> str:
    """What came of it, what is not valid first."""
    bad = [one for one in files if one.valid is False]
    unknown = [one for one in files if one.valid is None and one.dialect != "markdown"]
    head = f"{len(files)} files for {workload.where}"
    if bad:
        return f"NOT valid: {bad[0].path}: {bad[0].checked}; {len(bad)} of {head}: do not use them."
    if unknown:
        return f"{head}; not dry-run: {', '.join(one.path for one in unknown)}: {unknown[0].checked}"
    names = ", ".join(one.path for one in files)
    return f"{head}, each admitted by a server-side dry run: {names}. Every number is in `rationale`."


def decided(workload: Workload, drafts: Sequence[Draft], more: Sequence[str]) -> list[str]:
    """What a person must know or decide before these files are used."""
    kinds = {one.kind for one in drafts}
    found = list(more)
    if "resources" in kinds:
        found.append(
            "Resources changed in the template replace the pods by a rolling update. Resizing in place"
            " (subresource resize, Kubernetes 1.33+) restarts none, unless a memory limit falls, and leaves"
            " the template as it was."
        )
        if workload.scaler and workload.scaler.cpu_target:
            found.append(
                f"HPA {workload.scaler.name} counts CPU against the request: another moves its replicas."
            )
    if "hpa" in kinds and workload.vpa:
        found.append(
            f"VPA {workload.vpa} sizes the same pods: with an HPA on CPU or memory it must be off for these."
        )
    return found


def pull_request(
    workload: Workload, files: Sequence[GeneratedFile], reasons: Sequence[Reason]
) -> PullRequest:
    """Title and body: what changes, why each number, what was checked, how it is taken back."""
    kinds = ", ".join(dict.fromkeys(one.kind for one in files))
    lines = ["## What changes", *(f"- `{one.path}` ({one.checked or 'not checked'})" for one in files)]
    if any(one.kind == "resources" for one in files):
        lines.append(f"- now: {_now(workload.container)}")
    lines += ["", "## Why these numbers"]
    measured = [one for one in reasons if one.source.metric != RULE]
    lines += [
        f"- {one.number}: {one.why} ({one.source.metric}, {one.source.percentile}, {one.source.window})"
        for one in measured[:MOST_REASONS]
    ]
    if len(measured) > MOST_REASONS:
        lines.append(f"- and {len(measured) - MOST_REASONS} more, see the rationale")
    lines += [
        "",
        "## Verdict",
        _verdict(files),
        "",
        "## Rollback",
        "Revert this commit; nothing else was changed.",
    ]
    return PullRequest(
        title=f"{workload.namespace}/{workload.name}: {kinds} from measured use", body="\n".join(lines)
    )


def _verdict(files: Sequence[GeneratedFile]) -> str:
    bad = [one.path for one in files if one.valid is False]
    if bad:
        return f"Do not merge: refused are {', '.join(bad)}."
    return (
        "Every file that goes to a cluster passed a server-side dry run."
        if all(one.valid for one in files if one.dialect != "markdown")
        else "Not everything could be dry-run: check before merging."
    )


def _now(container: Container) -> str:
    told = [
        f"{word} {write(value)}"
        for word, value, write in (
            ("requests.cpu", container.cpu, cores),
            ("requests.memory", container.memory, mebibytes),
            ("limits.cpu", container.cpu_limit, cores),
            ("limits.memory", container.memory_limit, mebibytes),
        )
        if value
    ]
    return f"container {container.name}: {', '.join(told) or 'no requests, no limits'}"

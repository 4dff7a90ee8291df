"""Changes of one object where git describes it: the file's text as it would be, and the plan's steps. Pure.

Called by `tools/git_desk.py` when a commit is planned and by `clients/git_effects.py` when it is made (D13).
Fields that the manifest names are set in the file, null takes one away, all else stays byte for byte.
"""

from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any, Literal, Protocol

from aiops_eks.diagnosis.scanning.patching import written
from aiops_eks.diagnosis.scanning.placing import Document, sheet
from aiops_eks.planning.drafts import Around, Draft, Obj, at, name_of
from aiops_eks.planning.manifests import overlaid
from aiops_eks.planning.wording import pair
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import FieldChange, GateCheck, ObjectRef, Step
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.manifests import dump_manifests, load_manifests
from aiops_shared.kube.yaml_words import same_value
from aiops_shared.results import Frozen

API_VERSION, KIND = "git.aiops/v1", "Commit"
BRANCHES = "eks-aiops/"
TREE, BASE, PUSHED = "spec.tree", "spec.base", "spec.pushed"
MOST_BYTES = 1_000_000
_MOST_ROWS = 200
_OTHERS = ("kustomization", "chart", "values")  # they make manifests, or feed what does
_ENDINGS = (".yaml", ".yml", ".json")
_BOM = "\ufeff"


class Place(Frozen):
    """Where in which repository an object stands, or shall stand."""

    repository: str
    branch: str
    base: str  # commit
    file: str
    text: str | None = None  # of the file at `base`; None: it is added
    push: Literal["never", "policy"] = "never"


class Repositories(Protocol):
    """The repositories of the operator's table. Fulfilled by the clients."""

    async def place(self, repository: str, file: str, manifest: Obj, owner: str) -> Place:
        """The file that holds the object. Raises NotConfiguredError, NotFoundError, InvalidInputError."""
        ...

    async def tree(self, place: Place, text: str) -> str:
        """Id of the tree with the file's new text; nothing is written to the repository."""
        ...

    async def state(self, ref: ObjectRef) -> Obj:
        """The branch of a planned commit now: base, and the tree where it was made."""
        ...


class Edited(Frozen):
    """A file's text with the change, and the object as it then stands in it."""

    text: str
    obj: Obj
    in_place: bool = True


def checked_file(file: str) -> str:
    """A path inside a repository. Raises InvalidInputError for one that leads, or pretends, elsewhere."""
    parts = file.split("/")
    plain = file.isprintable() and "\\" not in file and ":" not in file and len(file) <= 400
    if not plain or any(part.startswith(("-", ".")) or not part for part in parts):
        raise InvalidInputError(
            "place", "is no plain path inside the repository", "for example apps/web.yaml"
        )
    if PurePosixPath(file).suffix not in _ENDINGS or PurePosixPath(file).stem.lower() in _OTHERS:
        raise InvalidInputError("place", "is no manifest", f"end it with {', '.join(_ENDINGS)}")
    return file


def _group(obj: Obj) -> str:
    return str(obj.get("apiVersion") or "").rpartition("/")[0]


def holders(text: str, manifest: Obj) -> list[Document]:
    """The documents of a file that are the object. Raises InvalidInputError for a text that is not read."""
    space = at(manifest, "metadata", "namespace")
    found = [
        document
        for document in sheet(text).documents
        if (_group(document.obj), document.obj.get("kind"), name_of(document.obj))
        == (_group(manifest), manifest.get("kind"), name_of(manifest))
        and at(document.obj, "metadata", "namespace") in {None, "", space}
    ]
    exact = [one for one in found if at(one.obj, "metadata", "namespace") == space]
    return exact or found


def edited(text: str | None, manifest: Obj, file: str) -> Edited:
    """The file with the manifest's fields in it; a new file holds the manifest alone.

    Raises InvalidInputError when nothing would change, or the file cannot be changed safely.
    """
    if text is None:
        obj = _pruned(manifest, manifest)
        return Edited(text=dump_manifests([obj]), obj=obj)
    whole = sheet(text)
    found = holders(text, manifest)
    if len(found) != 1:
        raise InvalidInputError("place", f"{file} holds the object {len(found)} times", "name another file")
    place = next(one for one in whole.documents if one.number == found[0].number)
    wish = _as_in(place.obj, manifest)
    after = _pruned(overlaid(place.obj, wish), wish)
    if same_value(place.obj, after):
        raise InvalidInputError(f"file {file}", "already is as the manifest says", "nothing to plan")
    chunk, in_place = written(whole, place, after)
    start, end = whole.span(place)
    new = whole.text[:start] + chunk + whole.text[end:]
    _proved(new, [after if one is place else one.obj for one in whole.documents], file)
    return Edited(text=(_BOM if text.startswith(_BOM) else "") + new, obj=after, in_place=in_place)


def _as_in(there: Obj, manifest: Obj) -> Obj:
    """The manifest without a namespace where the file leaves it to the controller."""
    if at(there, "metadata", "namespace"):
        return manifest
    metadata = {key: item for key, item in manifest["metadata"].items() if key != "namespace"}
    return {**manifest, "metadata": metadata}


def _pruned(merged: Any, wish: Any) -> Any:
    """Without what the wish names as null; nulls that the file itself has stay."""
    if isinstance(merged, dict) and isinstance(wish, dict):
        kept = {key: item for key, item in merged.items() if key not in wish or wish[key] is not None}
        return {key: _pruned(item, wish.get(key)) for key, item in kept.items()}
    if isinstance(merged, list) and isinstance(wish, list) and all(isinstance(one, dict) for one in wish):
        asked = {one.get("name"): one for one in wish}
        return [_pruned(one, asked.get(one.get("name"))) if isinstance(one, dict) else one for one in merged]
    return merged


def _proved(text: str, wanted: list[Obj], file: str) -> None:
    """The new text reads back as meant, every other document too."""
    found = load_manifests(text)
    if len(found) != len(wanted) or not all(map(same_value, found, wanted)):
        raise InvalidInputError(f"file {file}", "cannot be changed without changing more", "edit it by hand")
    if len(text.encode()) > MOST_BYTES:
        raise InvalidInputError(f"file {file}", f"would be larger than {MOST_BYTES} bytes", "split it")


def line_diff(file: str, before: str | None, after: str) -> tuple[FieldChange, ...]:
    """The changed lines, each with its place: what `git diff` would show, redacted."""
    old, new = redact(before or "").splitlines(), redact(after).splitlines()
    rows: list[FieldChange] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for offset, (was, now) in enumerate(zip_longest(old[i1:i2], new[j1:j2], fillvalue="")):
            left, right = pair(f"- {was}" if i1 + offset < i2 else "", f"+ {now}" if j1 + offset < j2 else "")
            rows.append(FieldChange(path=f"{file}:{j1 + offset + 1}", before=left, after=right))
    if not rows:
        rows.append(FieldChange(path=file, before="", after="(values that are not shown change)"))
    more = len(rows) - _MOST_ROWS
    cut = FieldChange(path=file, before="", after=f"… {more} more lines")
    return (*rows[:_MOST_ROWS], *((cut,) if more > 0 else ()))


def commit_ref(cluster: str, place: Place, plan_id: str) -> ObjectRef:
    """A planned commit as a target: repository and branch."""
    return ObjectRef(
        cluster=cluster,
        api_version=API_VERSION,
        kind=KIND,
        namespace=place.repository,
        name=f"{BRANCHES}{plan_id}",
    )


class Commit(Frozen):
    """What the commit says: kept with the plan, so that making it again gives the same commit."""

    file: str
    base: str
    added: bool
    manifest: str  # YAML: stored plans keep no order of keys
    message: str
    at: int  # seconds since 1970


def draft(ref: ObjectRef, about: ObjectRef, place: Place, change: Edited, tree: str, commit: Commit) -> Draft:
    """The commit as a change: one step, and one more where the branch is pushed."""
    body = commit.model_dump(mode="json")
    gate = GateCheck(check="committed", within_s=30, every_s=1)
    steps = [Step(name="commit", verb="write", values={TREE: tree}, body=body, gate=gate)]
    if place.push == "policy":
        pushed = GateCheck(check="pushed", within_s=30, every_s=1)
        steps.append(Step(name="push", verb="write", values={PUSHED: tree}, body=body, gate=pushed))
    verb = "add" if commit.added else "change"
    anew = () if change.in_place else (f"{place.file}: the object is written anew: its comments are lost.",)
    says = "pushed to origin" if place.push == "policy" else "not pushed"
    return Draft(
        action="apply",
        ref=ref,
        confirm=f"commit to {place.repository}, branch {ref.name}: {verb} {about} in {place.file}",
        steps=tuple(steps),
        paths=(TREE, PUSHED),
        reads=(BASE,),
        diff=line_diff(place.file, place.text, change.text),
        reversible="full",
        warnings=anew,
        shows={
            "commit": f"branch {ref.name}, on {place.branch} at {place.base[:12]}, {says}; "
            "takes effect once a person merges it",
            "undo": "a revert commit on the same branch",
        },
    )


def message_of(about: ObjectRef, plan_id: str, requester: str, reason: str) -> str:
    """The commit's message; the texts are redacted and on one line each."""
    subject = f"Change {about}"[:100]
    trailers = [f"Plan: {plan_id}", f"Requested-by: {requester}"]
    return "\n".join([subject, "", *([reason, ""] if reason else []), *trailers]) + "\n"


def live_step(around: Around, change: Edited) -> Step:
    """What the cluster would be asked to become, for a dry run: never carried out."""
    if around.obj is None:
        space = {"namespace": around.ref.namespace} if around.ref.namespace else {}
        body = {**change.obj, "metadata": {**change.obj["metadata"], **space}}
        return Step(name="dry", verb="create", body=body)
    whole = overlaid(around.obj, change.obj)
    skipped = {"apiVersion", "kind", "metadata", "status"}
    values = {key: whole[key] for key in change.obj if key not in skipped}
    for field in ("labels", "annotations"):
        if at(change.obj, "metadata", field):
            values[f"metadata.{field}"] = whole["metadata"][field]
    return Step(name="dry", verb="write", values=values)

"""One object with its surroundings: facts or YAML, owners, related objects, recent events.

Called by `get_resource` through `ports.Dossiers`. Redaction comes before anything is picked or cut.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio.to_thread
import yaml

from aiops_eks.clients.events import EVENT_TTL_S, events_of
from aiops_eks.clients.masking import shown
from aiops_eks.clients.related import Surroundings, surroundings
from aiops_eks.clients.wording import cut
from aiops_eks.models.answers import ObjectAsk, ResourceView, nothing
from aiops_eks.models.event_groups import event_table, grouped
from aiops_eks.models.health import judge_object
from aiops_eks.models.outlines import outline
from aiops_eks.ports import Clusters, Kube, Obj, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, NotFoundError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube import names
from aiops_shared.kube.models import Kind
from aiops_shared.results import Evidence, Table

MOST_EVENTS = 6
MOST_FOUND = 5
YAML_CHARS = 24_000
NO_EVENTS = "events left out: sensitive reads are off; the operator sets AIOPS_SENSITIVE_READS=true"


@dataclass(frozen=True)
class DossierReader:
    """Fulfils `ports.Dossiers`."""

    known: Clusters
    clock: Clock
    sensitive: SensitiveReads

    async def resource(self, ask: ObjectAsk) -> ResourceView:
        """The object without noise, redacted, with what belongs to it.

        Raises NotFoundError with the nearest names, InvalidInputError when only a namespace tells which.
        """
        names.object_name(ask.kind, ask.name)
        kube = await self.known.open(ask.cluster)
        kind = await kube.kind(ask.kind)
        if kind.kind == "Event":
            await self.sensitive.allow("events")
        now = await self.clock.now()
        obj = await _one(kube, kind, ask)
        around = await surroundings(kube, kind.kind, obj)
        events, warnings = await self._events(kube, kind, obj, now)

        def view() -> ResourceView:
            return _view(_Seen(kube, kind, shown(obj), now, around, events, warnings), ask)

        return await anyio.to_thread.run_sync(view)  # a megabyte of text takes a second to redact

    async def _events(self, kube: Kube, kind: Kind, obj: Obj, now: datetime) -> tuple[Table, list[str]]:
        if kind.kind == "Event":
            return nothing("last"), []
        if not self.sensitive.allowed:
            return nothing("last"), [NO_EVENTS]
        about = obj["metadata"]
        try:
            await self.sensitive.allow(f"events of {kind.kind} {about['name']}")
            since = now - timedelta(seconds=EVENT_TTL_S)
            found = await events_of(kube, about.get("namespace", ""), kind.kind, about["name"], since, redact)
        except AiopsError as error:
            return nothing("last"), [f"events not read: {error.reason}"]
        return event_table(grouped(found)[:MOST_EVENTS], now, about=False), []


@dataclass(frozen=True, slots=True)
class _Seen:
    """One object and everything that was read about it."""

    kube: Kube
    kind: Kind
    obj: dict[str, Any]
    now: datetime
    around: Surroundings
    events: Table
    warnings: list[str]


async def _one(kube: Kube, kind: Kind, ask: ObjectAsk) -> Obj:
    word = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    if not kind.namespaced:
        return await kube.get(word, "", ask.name)
    if ask.namespace:
        return await kube.get(word, ask.namespace, ask.name)
    page = await kube.list(word, fields=f"metadata.name={ask.name}", limit=MOST_FOUND)
    places = [obj["metadata"]["namespace"] for obj in page.items]
    if len(places) == 1:
        return page.items[0]
    if places:
        raise InvalidInputError(
            "namespace", f"{kind.kind} {ask.name} is in several", f"give one of: {', '.join(sorted(places))}"
        )
    raise NotFoundError(
        f"{kind.kind} {ask.name}", "in no namespace", f"list_resources(kind={kind.kind}) shows what there is"
    )


def _view(seen: _Seen, ask: ObjectAsk) -> ResourceView:
    # The text of a Secret may be masked whole, so its facts name its keys in both views.
    wanted = ask.view == "summary" or seen.kind.kind == "Secret"
    facts = outline(seen.kind.kind, seen.obj, seen.now) if wanted else []
    text = _yaml(seen.obj) if ask.view == "yaml" else ""
    relations = [(each.kind, each.name, each.how, each.state) for each in seen.around.relations]
    cut_said = [f"yaml cut at {YAML_CHARS} characters"] if len(text) > YAML_CHARS else []
    place = seen.obj["metadata"].get("namespace", "")
    return ResourceView(
        summary=_said(seen),
        facts=Table(columns=("fact", "value"), rows=tuple(facts)),
        owners=seen.around.owners,
        related=Table(columns=("kind", "name", "relation", "state"), rows=tuple(relations)),
        events=seen.events,
        yaml=text[:YAML_CHARS],
        evidence=(
            Evidence(
                source=f"Kubernetes API of {seen.kube.cluster}",
                query=f"kubectl get {seen.kind.plural} {ask.name}{f' -n {place}' if place else ''} -o yaml",
            ),
        ),
        warnings=(*seen.around.warnings, *seen.warnings, *cut_said),
        truncated=bool(cut_said),
        untrusted=("facts", "events", "yaml"),
    )


def _yaml(obj: dict[str, Any]) -> str:
    return yaml.safe_dump(obj, sort_keys=False, allow_unicode=True, width=1_000)


def _said(seen: _Seen) -> str:
    about = seen.obj["metadata"]
    place = f"{about['namespace']}/{about['name']}" if about.get("namespace") else about["name"]
    health = judge_object(seen.kind.kind, seen.obj, seen.now)
    said = f"{seen.kind.kind} {place}" + (f": {health.word}" if health else "")
    if health and health.restarts:
        said += f", {health.restarts} restarts"
    if seen.around.owners:
        said += f"; owned by {' ← '.join(seen.around.owners)}"
    missing = [
        f"{each.kind} {each.name}" + (" (optional)" if each.state != "MISSING" else "")
        for each in seen.around.relations
        if each.state.lower().startswith("missing")
    ]
    if missing:
        said += f"; refers to missing {', '.join(missing)}"
    return cut(f"{said}.")

"""One cluster's Kubernetes API: reads here, changes in `writing`, watches in `watching`.

Fulfils `aiops_eks.ports.Kube` and serves the executor's adapter. Every name passes `names` before any
request; what is not found comes back with the nearest right names. Raises `AiopsError` only.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from aiops_shared.errors import (
    AiopsError,
    AnswerTooLargeError,
    InvalidInputError,
    NotFoundError,
)
from aiops_shared.kube import listing, logs, names
from aiops_shared.kube.connection import Ask, Connection
from aiops_shared.kube.discovery import Discovery
from aiops_shared.kube.listing import Query
from aiops_shared.kube.metrics_page import samples
from aiops_shared.kube.models import DescribedRow, Kind, LogLine, ObjectPage, TablePage
from aiops_shared.kube.nearest import nearest
from aiops_shared.kube.proxying import Proxying
from aiops_shared.kube.shapes import identity, mapping, whole
from aiops_shared.kube.watching import Watching
from aiops_shared.kube.writing import Writing

Obj = dict[str, Any]
PAGE = 500
SMALLEST_PAGE = 5
SUGGEST_S = 3.0  # how long a failed look-up may look for better names
SUGGEST_FROM = 500
NAMESPACE_S = 60.0  # how long a namespace that was there needs no second look
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class KubeApi(Writing, Watching, Proxying):
    """One cluster as one identity sees it. `name` is the cluster's name in answers."""

    def __init__(self, name: str, connection: Connection) -> None:
        self._name = name
        self._connection = connection
        self._discovery = Discovery(connection)
        self._namespaces: dict[str, float] = {}  # those that were there, and when

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self._name

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._connection.busy

    async def rest(self) -> None:
        """Close all sockets for now; the next request opens new ones."""
        await self._connection.aclose()

    async def aclose(self) -> None:
        """Close all sockets."""
        await self._connection.aclose()

    async def kind(self, word: str) -> Kind:
        """Find a kind by kind, plural, short name, `plural.group` or `group/version/kind`."""
        return await self._discovery.find(word)

    async def kinds(self) -> tuple[Kind, ...]:
        """Every kind that the cluster serves."""
        return await self._discovery.every()

    async def silent(self) -> tuple[str, ...]:
        """The API groups that did not answer discovery: what they serve is missing from every answer."""
        return await self._discovery.silent()

    async def version(self, *, timeout_s: float | None = None) -> str:
        """The API server's version, like `v1.33.2`; the cheapest proof that the cluster is reachable."""
        answer = await self._connection.json(Ask(f"cluster {self._name}", "/version"), timeout_s=timeout_s)
        return str(answer.get("gitVersion") or "") if isinstance(answer, dict) else ""

    async def measured(self, names: Sequence[str], take: Callable[[str], None]) -> None:
        """What the API server measures of itself: the sample lines of these metrics (`GET /metrics`)."""
        await samples(self._connection, f"metrics of cluster {self._name}", names, take)

    async def get(self, kind: str, namespace: str, name: str, *, suggest: bool = True) -> Obj:
        """One object. NotFoundError names the nearest right names, which takes a list: not for who only asks
        whether it is there (`suggest`).
        """
        where, path = await self._path(kind, namespace, name)
        thing = f"{where.kind.kind.lower()} {_joined(where.namespace, name)}"
        try:
            answer = await self._connection.json(Ask(thing, path))
        except NotFoundError as error:
            near = await self._suggest(where, name) if suggest else ""
            raise NotFoundError(thing, error.reason, near) from error
        return whole(answer, thing)

    async def list(
        self,
        kind: str,
        namespace: str = "",
        *,
        selector: str = "",
        fields: str = "",
        limit: int = PAGE,
        cursor: str = "",
    ) -> ObjectPage:
        """One page of whole objects; an expired cursor gives the first page again and says `relisted`."""
        query = await self._query(kind, namespace, selector, fields, limit, cursor)
        page = await listing.begun_anew_once(query, partial(listing.objects, self._connection))
        await self._require_namespace(query, empty=not page.items)
        return page

    async def every(
        self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "", at_most: int = 20_000
    ) -> AsyncIterator[Obj]:
        """All objects, page by page; after a 410 the list is read once more, without duplicates.

        A page too large to be read is asked for again in smaller ones. Raises AnswerTooLargeError after
        `at_most` objects when there are more: what came is a part.
        """
        query = await self._query(kind, namespace, selector, fields, PAGE, "")
        seen: set[str] = set()
        endless = listing.Endless(query.thing)
        while True:
            try:
                page = await listing.begun_anew_once(query, partial(listing.objects, self._connection))
            except AnswerTooLargeError:
                if query.limit <= SMALLEST_PAGE:
                    raise
                query = replace(query, limit=max(SMALLEST_PAGE, query.limit // 10))
                continue
            before = len(seen)
            for item in page.items:
                if (key := identity(item)) not in seen:
                    if len(seen) >= at_most:
                        raise AnswerTooLargeError(query.thing, f"more than {at_most} objects", "narrow it")
                    seen.add(key)
                    yield item
            if not page.cursor:
                return
            endless.page(new=len(seen) - before)
            query = replace(query, cursor=page.cursor)

    async def table(
        self,
        kind: str,
        namespace: str = "",
        *,
        selector: str = "",
        fields: str = "",
        limit: int = PAGE,
        cursor: str = "",
    ) -> TablePage:
        """One page of the server-side Table; over all namespaces, `Namespace` is its first column."""
        query = await self._query(kind, namespace, selector, fields, limit, cursor)
        read = partial(listing.table, self._connection, timeout_s=self._connection.timeout_s)
        page = await listing.begun_anew_once(query, read)
        await self._require_namespace(query, empty=not page.rows)
        return page

    async def every_row(
        self, kind: str, namespace: str = "", *, at_most: int = 20_000
    ) -> AsyncIterator[DescribedRow]:
        """Every object as metadata and Table cells, page by page; after a 410 the list is read once more,
        without duplicates. Raises AnswerTooLargeError after `at_most` rows when there are more.
        """
        query = await self._query(kind, namespace, "", "", PAGE // 2, "")  # metadata doubles a row
        seen: set[str] = set()
        endless = listing.Endless(query.thing)
        while True:
            page = await listing.begun_anew_once(query, partial(listing.described, self._connection))
            before = len(seen)
            for row in page.rows:
                if (key := identity({"metadata": row.metadata})) not in seen:
                    if len(seen) >= at_most:
                        raise AnswerTooLargeError(query.thing, f"more than {at_most} objects", "narrow it")
                    seen.add(key)
                    yield row
            if not page.cursor:
                return
            endless.page(new=len(seen) - before)
            query = replace(query, cursor=page.cursor)

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        previous: bool = False,
        tail: int = 200,
        since: datetime | None = None,
        limit_bytes: int = 1_000_000,
    ) -> Sequence[LogLine]:
        """Lines of one container instance, oldest first; without `container` the default or only one.

        A container that is named costs one request. NotFoundError names the pods or containers there are.
        """
        if container:
            names.container(container)
        names.object_name("pods", pod)
        names.namespace(namespace)
        thing = f"logs of pod {_joined(namespace, pod)}"
        chosen = container or logs.container_of(await self.get("pods", namespace, pod), "")
        params = logs.params(
            container=chosen,
            previous=previous,
            tail=tail,
            since=since,
            limit_bytes=min(limit_bytes, self._connection.max_answer_bytes),
        )
        path = names.path("api", "v1", "namespaces", namespace, "pods", pod, "log")
        ask = Ask(thing, path, params=params, accept="*/*")
        try:
            body = await self._connection.raw(ask, json_only=False)
        except (NotFoundError, InvalidInputError):
            # Which of the two is misspelt, pod or container, is said with what there is instead.
            logs.container_of(await self.get("pods", namespace, pod), chosen)
            raise
        return tuple(logs.lines(body, pod, chosen))

    async def can(self, verb: str, kind: str, namespace: str = "", subresource: str = "") -> bool:
        """Whether the identity used may do it (SelfSubjectAccessReview)."""
        names.verb(verb)
        names.any_namespace(namespace)
        found = await self.kind(kind)
        asked = {"verb": verb, "group": found.group, "version": found.version, "resource": found.plural}
        if namespace and found.namespaced:
            asked["namespace"] = namespace
        if subresource:
            asked["subresource"] = names.subresource(subresource)
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = await self._connection.json(
            Ask(f"right to {verb} {kind}", REVIEWS, method="POST", body=review)
        )
        return mapping(mapping(answer).get("status")).get("allowed") is True

    async def _query(
        self, kind: str, namespace: str, selector: str, fields: str, limit: int, cursor: str
    ) -> Query:
        """Check everything first, then ask discovery."""
        names.kind_word(kind)
        names.any_namespace(namespace)
        names.selector(selector)
        names.fields(fields)
        names.limit(limit)
        names.cursor(cursor)
        found = await self.kind(kind)
        return Query(found, namespace if found.namespaced else "", selector, fields, limit, cursor)

    async def _require_namespace(self, query: Query, *, empty: bool) -> None:
        """An empty list of a namespace that does not exist is a misspelt namespace."""
        now = time.monotonic()
        if not empty:
            self._namespaces[query.namespace] = now
        if not query.namespace or now - self._namespaces.get(query.namespace, -NAMESPACE_S) < NAMESPACE_S:
            return
        path = names.path("api", "v1", "namespaces", query.namespace)
        try:
            await self._connection.json(Ask(f"namespace {query.namespace}", path), timeout_s=SUGGEST_S)
        except NotFoundError as error:
            hint = await self._near_namespaces(query.namespace)
            raise NotFoundError(f"namespace {query.namespace}", "it does not exist", hint) from error
        except AiopsError:
            return  # not allowed to know; the empty list stands
        self._namespaces[query.namespace] = now

    async def _suggest(self, query: Query, name: str) -> str:
        """Better names after a miss: one list, or the namespaces when this one does not exist."""
        try:
            page = await listing.table(self._connection, replace(query, limit=SUGGEST_FROM), SUGGEST_S)
            if not page.rows:
                await self._require_namespace(query, empty=True)
                return f"there is no {query.kind.kind} at all" + (
                    f" in {query.namespace}" if query.namespace else ""
                )
        except NotFoundError as error:
            return f"{error.thing} does not exist{'; ' + error.hint if error.hint else ''}"
        except AiopsError:
            return ""
        close = nearest(name, [str(row[0]) for row in page.rows if row])
        return f"nearest: {', '.join(close)}" if close else "list_resources shows what there is"

    async def _near_namespaces(self, name: str) -> str:
        try:
            close = nearest(name, await listing.namespaces(self._connection))
        except AiopsError:
            return ""
        return f"nearest: {', '.join(close)}" if close else ""

    async def _path(self, kind: str, namespace: str, name: str, subresource: str = "") -> tuple[Query, str]:
        """Where one object is. Raises InvalidInputError before any request."""
        names.kind_word(kind)
        names.object_name(kind, name)
        names.any_namespace(namespace)
        if subresource:
            names.subresource(subresource)
        found = await self.kind(kind)
        if found.namespaced and not namespace:
            raise InvalidInputError(f"{kind} {name}", "no namespace given", "name its namespace")
        query = Query(found, namespace if found.namespaced else "")
        tail = (subresource,) if subresource else ()
        return query, query.path + names.path(name, *tail)


def _joined(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name

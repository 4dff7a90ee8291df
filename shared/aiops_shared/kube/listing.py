"""Lists, page by page: whole objects or the server's Table, one namespace or all of them.

A Table without its objects carries no namespace, so a list over all namespaces asks each one (at most
eight at once) in the order of their names, and puts the namespace first (decision D30). Its cursor says
which namespace comes next and where in it. A cursor that the server has forgotten (410) means the first
page again, and the page says so.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from aiops_shared.errors import ExpiredError, InvalidInputError, UpstreamError
from aiops_shared.http.answers import deadline
from aiops_shared.kube import names
from aiops_shared.kube.connection import JSON, Ask, Connection
from aiops_shared.kube.gathering import gather
from aiops_shared.kube.models import Kind, ObjectPage, TablePage
from aiops_shared.results import Cell

AT_ONCE = 8
MAX_NAMESPACES = 5000
TABLE = f"{JSON};as=Table;v=v1;g=meta.k8s.io,{JSON}"
NAMES_ONLY = f"{JSON};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{JSON}"
_SPREAD = "n1."  # cursors over all namespaces start so; Kubernetes' own tokens hold no dot


@dataclass(frozen=True, slots=True)
class Query:
    """One list as asked for; `namespace` empty means all of them."""

    kind: Kind
    namespace: str = ""
    selector: str = ""
    fields: str = ""
    limit: int = 500
    cursor: str = ""

    @property
    def thing(self) -> str:
        """How errors name it."""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"list of {self.kind.plural}{where}"

    @property
    def path(self) -> str:
        """The collection's path."""
        return collection(self.kind, self.namespace)

    def params(self) -> dict[str, str]:
        """The query string of one page."""
        given = {
            "limit": str(self.limit),
            "continue": self.cursor,
            "labelSelector": self.selector,
            "fieldSelector": self.fields,
        }
        return {name: value for name, value in given.items() if value}


def collection(kind: Kind, namespace: str) -> str:
    """The path of a kind's collection."""
    root = ("apis", kind.group, kind.version) if kind.group else ("api", kind.version)
    inside = ("namespaces", namespace) if kind.namespaced and namespace else ()
    return names.path(*root, *inside, kind.plural)


async def objects(connection: Connection, query: Query) -> ObjectPage:
    """One page of whole objects. Raises ExpiredError for a forgotten cursor."""
    answer = await _page(connection, query, JSON)
    items = answer.get("items")
    if not isinstance(items, list):
        raise UpstreamError(query.thing, "answered with no list")
    cursor, remaining = _position(answer)
    return ObjectPage.model_construct(
        items=tuple(_typed(item, query.kind) for item in items if isinstance(item, dict)),
        cursor=cursor,
        remaining=remaining,
        relisted=False,
    )


async def table(connection: Connection, query: Query, timeout_s: float) -> TablePage:
    """One page of the Table; over all namespaces of a namespaced kind, one that says the namespace."""
    if query.namespace or not query.kind.namespaced:
        return await _table(connection, query)
    with deadline(query.thing, timeout_s, "name a namespace"):
        return await _spread(connection, query)


async def _page(connection: Connection, query: Query, accept: str) -> dict[str, Any]:
    params = query.params() | ({"includeObject": "None"} if accept == TABLE else {})
    try:
        answer = await connection.json(Ask(query.thing, query.path, params=params, accept=accept))
    except InvalidInputError as error:
        if query.cursor and "continue" in error.reason.lower():
            raise ExpiredError(query.thing, "the cursor is not one of this cluster", "start again") from error
        raise
    if not isinstance(answer, dict):
        raise UpstreamError(query.thing, "answered with no list")
    return answer


def _position(answer: dict[str, Any]) -> tuple[str, int | None]:
    about = answer.get("metadata")
    if not isinstance(about, dict):
        return "", None
    remaining = about.get("remainingItemCount")
    return str(about.get("continue") or ""), remaining if isinstance(remaining, int) else None


def _typed(item: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """List items come without kind and apiVersion; every object we hand out has both."""
    return {"apiVersion": kind.api_version, "kind": kind.kind} | item


async def _table(connection: Connection, query: Query) -> TablePage:
    answer = await _page(connection, query, TABLE)
    if answer.get("kind") != "Table":
        return _as_table(answer, query)
    columns = tuple(str(column.get("name")) for column in answer.get("columnDefinitions") or [])
    rows = tuple(tuple(_cell(cell) for cell in row.get("cells") or []) for row in answer.get("rows") or [])
    cursor, remaining = _position(answer)
    return TablePage(columns=columns, rows=rows, cursor=cursor, remaining=remaining)


def _as_table(answer: dict[str, Any], query: Query) -> TablePage:
    """An aggregated API that serves no Table gives its objects; their names and ages still stand."""
    items = answer.get("items")
    if not isinstance(items, list):
        raise UpstreamError(query.thing, "answered with no list")
    about = [item.get("metadata") or {} for item in items if isinstance(item, dict)]
    rows = tuple((str(one.get("name") or ""), str(one.get("creationTimestamp") or "")) for one in about)
    cursor, remaining = _position(answer)
    return TablePage(columns=("Name", "Created At"), rows=rows, cursor=cursor, remaining=remaining)


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return orjson.dumps(value).decode()


async def namespaces(connection: Connection) -> list[str]:
    """The names of all namespaces, sorted."""
    found: list[str] = []
    cursor = ""
    while len(found) < MAX_NAMESPACES:
        params = {"limit": "500"} | ({"continue": cursor} if cursor else {})
        ask = Ask("list of namespaces", "/api/v1/namespaces", params=params, accept=NAMES_ONLY)
        answer = await connection.json(ask)
        if not isinstance(answer, dict):
            raise UpstreamError("list of namespaces", "answered with no list")
        found += [str((item.get("metadata") or {}).get("name")) for item in answer.get("items") or []]
        cursor, _ = _position(answer)
        if not cursor:
            break
    return sorted(found)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a list over all namespaces goes on."""

    namespace: str = ""
    cursor: str = ""

    def wire(self) -> str:
        return _SPREAD + base64.urlsafe_b64encode(orjson.dumps([self.namespace, self.cursor])).decode()


def _place(query: Query) -> _Place:
    """Read a cursor of our own. Raises ExpiredError for any other: the list starts again then."""
    if not query.cursor:
        return _Place()
    foreign = ExpiredError(query.thing, "the cursor is not one of this list", "start without it")
    if not query.cursor.startswith(_SPREAD):
        raise foreign
    try:
        place = orjson.loads(base64.urlsafe_b64decode(query.cursor.removeprefix(_SPREAD)))
    except (ValueError, binascii.Error) as error:
        raise foreign from error
    match place:
        case [str(namespace), str(cursor)]:
            return _Place(names.namespace(namespace), names.cursor(cursor))
    raise foreign


async def _spread(connection: Connection, query: Query) -> TablePage:
    place = _place(query)
    ahead = [name for name in await namespaces(connection) if name >= place.namespace]
    gathered = _Gathered()
    for start in range(0, len(ahead), AT_ONCE):
        batch = ahead[start : start + AT_ONCE]
        left = query.limit - len(gathered.rows)
        if left == 0:
            return gathered.page(_Place(batch[0]).wire())
        for name, page in zip(batch, await _batch(connection, query, batch, left, place), strict=True):
            left = query.limit - len(gathered.rows)
            if left == 0:
                return gathered.page(_Place(name).wire())
            if len(page.rows) > left:
                page = await _table(connection, _inside(query, name, place, left))
            gathered.add(name, page)
            if page.cursor:
                return gathered.page(_Place(name, page.cursor).wire())
    return gathered.page("")


def _inside(query: Query, namespace: str, place: _Place, limit: int) -> Query:
    cursor = place.cursor if namespace == place.namespace else ""
    return replace(query, namespace=namespace, cursor=cursor, limit=limit)


async def _batch(
    connection: Connection, query: Query, batch: Sequence[str], limit: int, place: _Place
) -> list[TablePage]:
    """The first page of each namespace, all at once."""

    async def read(name: str) -> TablePage:
        return await _table(connection, _inside(query, name, place, limit))

    return await gather(read, batch, at_once=AT_ONCE)


class _Gathered:
    """Rows of several namespaces under one set of columns."""

    def __init__(self) -> None:
        self.columns: tuple[str, ...] = ()
        self.rows: list[tuple[Cell, ...]] = []

    def add(self, namespace: str, page: TablePage) -> None:
        if not self.columns or page.rows:
            self.columns = page.columns
        self.rows += [(namespace, *row) for row in page.rows]

    def page(self, cursor: str) -> TablePage:
        return TablePage(columns=("Namespace", *self.columns), rows=tuple(self.rows), cursor=cursor)

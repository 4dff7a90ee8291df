"""Lists, page by page: whole objects or the server's Table, one namespace or all of them.

A Table without its objects carries no namespace, so a list over all namespaces asks each one (at most
eight at once) in the order of their names, and puts the namespace first (decision D30). Its cursor says
which namespace comes next and where in it. A cursor that the server has forgotten (410) means the first
page again, and the page says so; its cursors remember that, since a list is begun anew once only (R4).
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson

from aiops_shared.errors import AnswerTooLargeError, ExpiredError, InvalidInputError, UpstreamError
from aiops_shared.http.answers import deadline
from aiops_shared.kube import names
from aiops_shared.kube.connection import JSON, Ask, Connection
from aiops_shared.kube.gathering import gather
from aiops_shared.kube.models import DescribedRow, Kind, ObjectPage, RowPage, TablePage
from aiops_shared.kube.shapes import Obj, mapping, meta, rows, text, whole
from aiops_shared.results import Cell
from aiops_shared.results.progress import progress

AT_ONCE = 8
MAX_NAMESPACES = 5000
TABLE = f"{JSON};as=Table;v=v1;g=meta.k8s.io,{JSON}"
NAMES_ONLY = f"{JSON};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{JSON}"
MAX_BARREN = 200  # pages in a row that bring nothing new: such a list does not end
_SPREAD = "n1."  # cursors over all namespaces start so; Kubernetes' own tokens hold no dot
_AGAIN = "r1."  # cursors of a list that was begun anew start so

Page = TypeVar("Page", ObjectPage, TablePage, RowPage)


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


async def begun_anew_once(query: Query, read: Callable[[Query], Awaitable[Page]]) -> Page:
    """The page, or after a 410 the first page again. Raises ExpiredError when that happens a second time."""
    again = query.cursor.startswith(_AGAIN)
    relisted = False
    try:
        page = await read(replace(query, cursor=query.cursor.removeprefix(_AGAIN)))
    except ExpiredError:
        if again or not query.cursor:
            raise
        page = await read(replace(query, cursor=""))
        again = relisted = True
    cursor = _AGAIN + page.cursor if again and page.cursor else page.cursor
    return page.model_copy(update={"cursor": cursor, "relisted": relisted})


async def objects(connection: Connection, query: Query) -> ObjectPage:
    """One page of whole objects. Raises ExpiredError for a forgotten cursor."""
    answer = await _page(connection, query, JSON)
    if not isinstance(answer.get("items"), list):
        raise UpstreamError(query.thing, "answered with no list")
    cursor, remaining = _position(answer)
    return ObjectPage.model_construct(
        items=tuple(_typed(whole(item, query.thing), query.kind) for item in rows(answer, "items")),
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


async def described(connection: Connection, query: Query) -> RowPage:
    """One page of the Table with each object's metadata: namespace, labels and owners at a part of the cost
    of whole objects, over all namespaces at once. Raises UpstreamError where the API serves no Table.
    """
    answer = await _page(connection, query, TABLE, include="Metadata")
    if answer.get("kind") != "Table":
        raise UpstreamError(query.thing, "answered with no Table")
    columns = [text(column.get("name")).lower() for column in rows(answer, "columnDefinitions")]
    lines = tuple(
        DescribedRow(meta(mapping(row.get("object"))), dict(zip(columns, _cells(row), strict=False)))
        for row in rows(answer, "rows")
    )
    cursor, remaining = _position(answer)
    return RowPage.model_construct(rows=lines, cursor=cursor, remaining=remaining, relisted=False)


async def _page(connection: Connection, query: Query, accept: str, include: str = "None") -> dict[str, Any]:
    params = query.params() | ({"includeObject": include} if accept == TABLE else {})
    try:
        answer = await connection.json(Ask(query.thing, query.path, params=params, accept=accept))
    except InvalidInputError as error:
        if query.cursor and "continue" in error.reason.lower():
            raise ExpiredError(query.thing, "the cursor is not one of this cluster", "start again") from error
        raise
    if not isinstance(answer, dict):
        raise UpstreamError(query.thing, "answered with no list")
    _, remaining = _position(answer)
    if remaining:
        progress(0, None, f"{query.thing}: {remaining:,} more")
    return answer


def _position(answer: dict[str, Any]) -> tuple[str, int | None]:
    remaining = meta(answer).get("remainingItemCount")
    return text(meta(answer).get("continue")), remaining if isinstance(remaining, int) else None


def _typed(item: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """List items come without kind and apiVersion; every object we hand out has both."""
    return {"apiVersion": kind.api_version, "kind": kind.kind} | item


async def _table(connection: Connection, query: Query) -> TablePage:
    answer = await _page(connection, query, TABLE)
    if answer.get("kind") != "Table":
        return _as_table(answer, query)
    columns = tuple(text(column.get("name")) for column in rows(answer, "columnDefinitions"))
    lines = tuple(_cells(row) for row in rows(answer, "rows"))
    cursor, remaining = _position(answer)
    return TablePage(columns=columns, rows=lines, cursor=cursor, remaining=remaining)


def _as_table(answer: dict[str, Any], query: Query) -> TablePage:
    """An aggregated API that serves no Table gives its objects; their names and ages still stand."""
    if not isinstance(answer.get("items"), list):
        raise UpstreamError(query.thing, "answered with no list")
    about = [meta(whole(item, query.thing)) for item in rows(answer, "items")]
    lines = tuple((text(one.get("name")), text(one.get("creationTimestamp"))) for one in about)
    cursor, remaining = _position(answer)
    return TablePage(columns=("Name", "Created At"), rows=lines, cursor=cursor, remaining=remaining)


def _cells(row: Obj) -> tuple[Cell, ...]:
    found = row.get("cells")
    return tuple(_cell(cell) for cell in found) if isinstance(found, list) else ()


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return orjson.dumps(value).decode()


async def namespaces(connection: Connection) -> list[str]:
    """The names of all namespaces, sorted; after a 410 read once more (R4).

    Raises AnswerTooLargeError beyond 5,000, since a list over some of them would be a silent part.
    """
    try:
        return await _namespaces(connection)
    except ExpiredError:
        return await _namespaces(connection)


async def _namespaces(connection: Connection) -> list[str]:
    thing = "list of namespaces"
    found: set[str] = set()
    endless = Endless(thing)
    cursor = ""
    while True:
        params = {"limit": "500"} | ({"continue": cursor} if cursor else {})
        answer = await connection.json(Ask(thing, "/api/v1/namespaces", params=params, accept=NAMES_ONLY))
        if not isinstance(mapping(answer).get("items"), list):
            raise UpstreamError(thing, "answered with no list")
        before = len(found)
        found |= {text(meta(whole(item, thing)).get("name")) for item in rows(answer, "items")}
        if len(found) > MAX_NAMESPACES:
            raise AnswerTooLargeError(thing, f"more than {MAX_NAMESPACES} namespaces", "name a namespace")
        endless.page(new=len(found) - before)
        cursor, _ = _position(answer)
        if not cursor:
            return sorted(found)


@dataclass(slots=True)
class Endless:
    """Ends a list whose pages never end: a server that gives cursor after cursor and nothing new."""

    thing: str
    barren: int = 0

    def page(self, new: int) -> None:
        """One more page came. Raises UpstreamError when too many in a row brought nothing."""
        self.barren = 0 if new else self.barren + 1
        if self.barren > MAX_BARREN:
            raise UpstreamError(self.thing, f"{MAX_BARREN} pages in a row without anything new")


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
        if len(ahead) > AT_ONCE:
            progress(start, len(ahead), f"{query.thing}: {start} of {len(ahead)} namespaces")
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

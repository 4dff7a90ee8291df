"""F3, the part that a cluster's API can see: a service that slowly keeps more, and serves Go's own profiles.

The profile is made as runtime/pprof writes it (gzip around google/pprof's profile.proto), so that any reader
of profiles can open it. Values of a text look like a customer's, so that a leak of the artefact would show.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from random import Random

from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import MI, Behaviour, Curve, Program, Run, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template

HOME, HOUR_S, PORT = "production", 3600.0, 6060
HEAP_PATH = "/debug/pprof/heap"
CANARY = "session-token-of-nobody-0000"  # stands in the profile's comments, never in an answer
_OTHERS = (
    "encoding/json.(*decodeState).literalStore",
    "net/http.newBufioWriterSize",
    "bytes.growSlice",
    "database/sql.(*DB).conn",
    "strings.(*Builder).grow",
    "regexp.(*bitState).reset",
    "compress/flate.NewWriter",
    "crypto/tls.(*Conn).readHandshake",
    "runtime.malg",
    "sync.(*Pool).pinSlow",
    "bufio.NewReaderSize",
)


def leaker(names: Names) -> str:
    """The workload that keeps its sessions."""
    return "user-api" if names.seed == 0 else names.api


def top_function(names: Names) -> str:
    """What holds most of its heap."""
    return "sessioncache.(*Store).Put" if names.seed == 0 else f"{names.others[0]}cache.(*Table).Insert"


def shares(names: Names) -> list[tuple[str, int]]:
    """Function and MiB held, largest first: the first one 71 % of 400 MiB."""
    return [(top_function(names), 284), *zip(_OTHERS, (40, 22, 16, 12, 8, 6, 5, 3, 2, 1, 1), strict=True)]


def _varint(number: int) -> Iterator[int]:
    while number > 0x7F:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number


def _number(field: int, value: int) -> bytes:
    return bytes([*_varint(field << 3), *_varint(value)])


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([*_varint(field << 3 | 2), *_varint(len(value))]) + value


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, bytes(each for value in values for each in _varint(value)))


def pprof(
    kinds: list[tuple[str, str]], samples: Sequence[tuple[str, tuple[int, ...]]], comment: str = ""
) -> bytes:
    """A gzipped profile: value types, and a value per type for each leaf function (called by main.main)."""
    texts = [
        "",
        *(word for kind in kinds for word in kind),
        "main.main",
        *(name for name, _ in samples),
        comment,
    ]
    table = list(dict.fromkeys(texts))
    functions = ["main.main", *dict.fromkeys(name for name, _ in samples)]
    out = [_bytes(1, _number(1, table.index(kind)) + _number(2, table.index(unit))) for kind, unit in kinds]
    out += [
        _bytes(2, _packed(1, (functions.index(name) + 1, 1)) + _packed(2, values)) for name, values in samples
    ]
    for place, name in enumerate(functions, start=1):
        out.append(_bytes(4, _number(1, place) + _bytes(4, _number(1, place) + _number(2, 42))))
        out.append(_bytes(5, _number(1, place) + _number(2, table.index(name))))
    out += [_bytes(6, text.encode()) for text in table]
    out.append(_number(13, table.index(comment)) if comment else b"")
    return gzip.compress(b"".join(out), mtime=0)


def heap_profile(names: Names) -> bytes:
    """The heap of the leaking service."""
    kinds = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ]
    samples = [(name, (mib * 900, mib * 40 * MI, mib * 9, mib * MI)) for name, mib in reversed(shares(names))]
    return pprof(kinds, samples, CANARY)


def _keeping(from_mi: float) -> Program:
    def run(start: Run) -> Behaviour:
        calm = serving(start.container, memory_mi=from_mi)(start)
        rise = Curve(((0.0, from_mi * MI * 0.6), (60.0, from_mi * MI)), slope=30 * MI / HOUR_S)
        return Behaviour(lines=calm.lines, chatter=calm.chatter, memory=rise, cpu_m=calm.cpu_m)

    return run


def _build(stage: Stage, names: Names, rng: Random) -> None:
    app, since_s = leaker(names), 6 * HOUR_S + rng.uniform(200, 400)
    image = stage.publish(names.image(app, "3.4.0"), Image(_keeping(310)))
    main = container("app", image, memory="512Mi", limit="1Gi", readinessProbe=http_probe())
    main["ports"].append({"name": "pprof", "containerPort": PORT, "protocol": "TCP"})
    replicas = 3 if names.seed == 0 else rng.randint(2, 4)
    stage.put_at(
        since_s, deployment(HOME, app, replicas, template({"app": app}, [main])), service(HOME, app, app)
    )
    stage.at(0.0, partial(stage.serve_http, HOME, app, PORT, HEAP_PATH, heap_profile(names)))


SCENARIOS = (
    Scenario(
        "memory-growing",
        "A service keeps 30 MiB more every hour, and serves its own profiles",
        "Nothing has failed yet: of a limit of 1 GiB half is used. A heap profile of one pod names the "
        "function that holds 71 % of it.",
        "F3",
        _build,
        lead_s=7 * HOUR_S,
    ),
)

"""A lab with a crowd in it, in a process of its own: `python -m bench.crowded_lab PODS LAYOUT [bill]`.

Its first line on stdout is JSON: the environment that a client needs. To each line on stdin it answers how
many requests the API has had since the last; it ends when its stdin closes. The crowd is put beside the world
without its controllers hearing of it, and the clock stands: no figure is made by a moving world. With `bill`,
400 accounts and 20 services are billed beside the cluster.
"""

import json
import sys

import anyio

from aiops_lab.billing import Ledger
from aiops_lab.billing.drawn import large
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj
from aiops_lab.run import Lab
from bench.gathered import Crowd, crowd


def fill(store: Store, found: Crowd) -> None:
    """Put the crowd's objects into the store; nobody is told."""
    kept = store.snapshot()
    shelf = kept["shelf"]["objects"]
    for each in (*found.namespaces, *found.pods, *found.events, *found.around):
        held = shelf.setdefault(store.resource(each["kind"]).storage, {})
        held[_key(each)] = each
    store.restore(kept)


def _key(obj: Obj) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _say(message: Obj) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def main(healthy: int, *, scattered: bool, billed: bool) -> None:
    """Serve until stdin closes."""
    async with Lab("healthy") as lab:
        lab.clock.pause()
        there = len(lab.store.list("Pod"))  # the lab's own furniture is part of the crowd
        fill(lab.store, crowd(lab.clock.now(), healthy - there, scattered=scattered))
        if billed:
            ledger = lab.account.area(Ledger)
            ledger.lines = (*ledger.lines, *large())
        _say({**lab.export(), "cluster": lab.account.cluster})
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            _say({"requests": len(lab.requests.entries)})
            lab.requests.clear()


if __name__ == "__main__":
    anyio.run(lambda: main(int(sys.argv[1]), scattered=sys.argv[2] == "scattered", billed="bill" in sys.argv))

"""A lab behind a network: `python -m bench.slow_lab LATENCY_MS`, in a process of its own.

Its first line on stdout is JSON: the environment that a client needs. To each line on stdin it answers how
many requests the API has had since the last; it ends when its stdin closes.
"""

import json
import sys

import anyio

from aiops_lab.run import Lab


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def main(latency_s: float) -> None:
    """Serve until stdin closes."""
    async with Lab("healthy") as lab:
        lab.clock.pause()
        lab.faults.latency_s = latency_s
        _say({**lab.export(), "cluster": lab.account.cluster})
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            _say({"requests": len(lab.requests.entries)})
            lab.requests.clear()


if __name__ == "__main__":
    anyio.run(main, float(sys.argv[1]) / 1000)

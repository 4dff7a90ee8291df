"""HTTP out of the suite: one way to build a client, one way to read an answer, the lab's clock.

The Kubernetes adapter (and later the metrics drivers) stand on it. Importing it loads no HTTP library
(decision D31); the first client does.
"""

from aiops_shared.http.world_clock import RemoteClock, make_clock

__all__ = ["RemoteClock", "make_clock"]

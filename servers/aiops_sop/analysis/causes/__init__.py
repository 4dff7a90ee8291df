"""From facts of several servers to a ranked cause. Pure: no I/O, no clock; same facts, same answer."""

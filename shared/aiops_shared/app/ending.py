"""SIGTERM and Ctrl-C end a stdio server as the end of its input does: exit code 0, nothing cut in half (R22).

The steps under way finish, and what is left of an action is handed over.

The transport reads standard input in a thread that nothing can wake, so the input is relayed through a pipe
that a signal can end. A second signal ends the process at once.
"""

import os
import select
import signal
import sys
import threading
from types import FrameType

_PIECE_BYTES = 65_536
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_on_signals() -> None:
    """Relay standard input from here on. Call once, in the main thread, before the server reads.

    Does nothing on Windows, whose pipes cannot be waited for, and where there is no standard input.
    """
    if sys.platform == "win32":
        return
    try:
        source = os.dup(0)
    except OSError:
        return
    read_end, sink = os.pipe()
    told, tell = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)

    def end(_signal: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.write(tell, b"x")

    for number in _SIGNALS:
        signal.signal(number, end)
    threading.Thread(target=_relay, args=(source, told, sink), name="aiops-input", daemon=True).start()


def _relay(source: int, told: int, sink: int) -> None:
    """Copy until the input ends, a signal says so, or nobody reads any more."""
    try:
        while told not in (ready := select.select([source, told], [], [])[0]):
            piece = os.read(source, _PIECE_BYTES) if source in ready else b""
            if not piece:
                return
            while piece:
                piece = piece[os.write(sink, piece) :]
    except OSError:
        return
    finally:
        os.close(sink)

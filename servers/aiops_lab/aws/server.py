"""Serves the AWS overlay on loopback, in a thread of its own: boto3 calls block, the lab's loop must not."""

import socket
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STOP_S = 5.0


class _QuietHandler(WSGIRequestHandler):
    """No line per request: the overlay keeps its own log. A client that stalls is let go after 30 s."""

    timeout = 30

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing; a bug in an operation is still printed, by the server."""


class AwsServer:
    """One running HTTP server on a listening socket, which stays its owner's. `stop` waits for its thread."""

    def __init__(self, app: "WSGIApplication", sock: socket.socket) -> None:
        host, port = sock.getsockname()[:2]
        # werkzeug exits the process when it cannot listen; a socket of ours cannot fail there.
        self._server: BaseWSGIServer = make_server(
            host, port, app, threaded=True, request_handler=_QuietHandler, fd=sock.fileno()
        )
        self._thread = threading.Thread(target=self._serve, name="lab-aws", daemon=True)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def start(self) -> None:
        """Begin to answer; the port is already open."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and end the thread."""
        self._server.shutdown()
        self._thread.join(STOP_S)
        self._server.server_close()

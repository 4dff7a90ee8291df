"""moto's own server application, imported by the overlay when a request first falls through to it.

Its backends are one per process: two labs in one process share what lies in S3, CloudWatch and the like.
Nothing the overlay serves is shared.
"""

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app


class _Dispatcher(DomainDispatcherApplication):
    """Says which services it lacks, where moto prints to stdout and then fails on a None."""

    def get_backend_for_host(self, host: str | None) -> str | None:
        """The backend's name. Raises NotImplementedError for a service that moto does not have."""
        if host is not None and not self._knows(host):
            raise NotImplementedError(host)
        found: str | None = super().get_backend_for_host(host)
        return found

    def _knows(self, host: str) -> bool:
        by_name = host == "moto_api" or host in backends.list_of_moto_modules()
        return by_name or any(pattern.match(f"http://{host}") for _, pattern in self.backend_url_patterns)


def moto_application() -> DomainDispatcherApplication:
    """A fresh dispatcher over moto's backends."""
    return _Dispatcher(create_backend_app)

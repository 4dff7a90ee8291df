"""The image registry of the lab: which images exist, how long a pull takes, and which program is inside.

The kubelet asks it before a container starts. Repositories that a scenario publishes hold exactly the tags it
lists; well-known public images hold every plausible tag; everything else does not exist, as a typing error
would not.
"""

from dataclasses import dataclass, field

from aiops_lab.scenarios.programs import Program, serving, working

_PUBLIC = (
    "public.ecr.aws/amazonlinux/amazonlinux",
    "nginx",
    "httpd",
    "busybox",
    "alpine",
    "redis",
    "postgres",
    "python",
    "node",
    "debian",
    "ubuntu",
)
_KUBECTL, _PAUSE = "registry.k8s.io/kubectl", "registry.k8s.io/pause"


@dataclass(frozen=True, slots=True)
class Image:
    """One image that can be pulled."""

    program: Program = field(default_factory=serving)
    pull_s: float = 2.0
    size_bytes: int = 61_239_911
    pull_error: str = ""  # what the registry or the runtime answers instead of giving it


class PullError(Exception):
    """Why a pull failed, in the words of containerd as the kubelet reports them."""


@dataclass
class Registry:
    """Images by repository and tag."""

    _tags: dict[str, dict[str, Image]] = field(default_factory=dict)
    _denied: set[str] = field(default_factory=set)

    def publish(self, ref: str, image: Image | None = None) -> str:
        """Make `repository:tag` exist; returns it."""
        repository, tag = split(ref)
        self._tags.setdefault(repository, {})[tag] = image or Image()
        return ref

    def withdraw(self, ref: str) -> None:
        """Make it not exist any more; nodes that hold it keep it."""
        repository, tag = split(ref)
        self._tags.setdefault(repository, {}).pop(tag, None)

    def deny(self, repository: str) -> None:
        """Refuse every pull of this repository (no credentials)."""
        self._denied.add(repository)

    def pull(self, ref: str) -> Image:
        """The image. Raises PullError with containerd's words."""
        repository, tag = split(ref)
        full = canonical(ref)
        if repository in self._denied:
            raise PullError(
                f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": '
                "pull access denied, repository does not exist or may require authorization: "
                "authorization failed: no basic auth credentials"
            )
        if (tags := self._tags.get(repository)) is not None:
            if (image := tags.get(tag)) is not None:
                if image.pull_error:
                    raise PullError(image.pull_error)
                return image
            raise PullError(
                f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": '
                f'failed to resolve reference "{full}": {full}: not found'
            )
        if repository == _KUBECTL:  # with arguments it does one thing and ends
            return Image(working("done", takes_s=2, memory_mi=60))
        if repository == _PAUSE:
            return Image(serving("pause", memory_mi=1, cpu_m=1))
        if repository.removeprefix("docker.io/library/") in _PUBLIC:
            return Image()
        raise PullError(
            f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": '
            "pull access denied, repository does not exist or may require authorization: "
            "server message: insufficient_scope: authorization failed"
        )


def split(ref: str) -> tuple[str, str]:
    """Repository and tag; a digest counts as a tag, no tag means latest."""
    if "@" in ref:
        repository, _, digest = ref.partition("@")
        return repository, digest
    head, colon, tag = ref.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (ref, "latest")


def canonical(ref: str) -> str:
    """The full name that containerd uses in its messages."""
    repository, tag = split(ref)
    first, slash, _ = repository.partition("/")
    if not slash:
        repository = f"docker.io/library/{repository}"
    elif "." not in first and ":" not in first and first != "localhost":
        repository = f"docker.io/{repository}"
    return f"{repository}{'@' if tag.startswith('sha256:') else ':'}{tag}"

"""One write on its way through admission: what is written, by whom, and how a refusal names it."""

from dataclasses import dataclass, field

from aiops_lab.kube.errors import ApiError, forbidden
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig, name_of

SYSTEM = "system:lab"  # the lab's own controllers, which write through the Store

_SUFFIX = 5  # random letters behind a generateName


@dataclass(frozen=True)
class Review:
    """A create, update or delete; `new` is what would be stored (None for a delete), `old` what is."""

    resource: Resource
    operation: str  # CREATE, UPDATE or DELETE
    new: Obj | None = None
    old: Obj | None = None
    user: str = SYSTEM
    subresource: str = ""
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def obj(self) -> Obj:
        """The object the write is about."""
        return self.new if self.new is not None else (self.old or {})

    @property
    def namespace(self) -> str:
        """Its namespace; empty for a cluster-wide kind."""
        return str(dig(self.obj, "metadata", "namespace", default=""))

    @property
    def creates_pod(self) -> bool:
        """Whether a pod is made."""
        return self.resource.storage == "Pod." and self.operation == "CREATE" and not self.subresource

    def refuse(self, why: str, *, unnamed: bool = False) -> ApiError:
        """403 as `admission.NewForbidden` says it.

        Mutating plugins run before a name is generated: `unnamed` shows the generateName instead. The lab's
        controllers choose such names themselves, so a stem and five random letters count as generated.
        """
        stem, name = str(dig(self.obj, "metadata", "generateName", default="")), name_of(self.obj)
        generated = bool(stem) and name.startswith(stem) and len(name) == len(stem) + _SUFFIX
        return forbidden(self.resource, stem if unnamed and generated else name, why)

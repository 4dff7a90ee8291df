"""One write on its way through admission: what is written, by whom, and how a refusal names it."""

from dataclasses import dataclass, field

from aiops_lab.kube.errors import ApiError, forbidden
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig, name_of

SYSTEM = "system:lab"  # the lab's own controllers, which write through the Store


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

        Mutating plugins run before a name is generated: `unnamed` shows the generateName instead.
        """
        generated = str(dig(self.obj, "metadata", "generateName", default=""))
        return forbidden(self.resource, generated if unnamed and generated else name_of(self.obj), why)

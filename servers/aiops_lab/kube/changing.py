"""create, update, patch, delete and deletecollection, and the status subresource."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from aiops_lab.kube.addressing import addressed, applied, check_kind, check_patched
from aiops_lab.kube.admission.review import Review
from aiops_lab.kube.admission.unknown import settle_unknown
from aiops_lab.kube.bodies import PATCH_TYPES, decode_object, decode_patch, go_kind, media_type
from aiops_lab.kube.calls import Call, answer, success, whole
from aiops_lab.kube.deletion import DeletionOptions
from aiops_lab.kube.errors import FieldError, GoText, forbidden, go_error, invalid_kind, unknown_patch_type
from aiops_lab.kube.rbac import Attributes, Rbac
from aiops_lab.kube.reading import Reading, listed
from aiops_lab.kube.store import Store
from aiops_lab.kube.views import shown, stored
from aiops_lab.kube.wire import Obj, dig, name_of
from aiops_lab.kube.writing import WriteOptions

# Kinds whose delete answers with the last state (`ReturnDeletedObject` in pkg/registry).
_RETURNED = frozenset(
    {
        "Pod.",
        "PersistentVolume.",
        "PersistentVolumeClaim.",
        "PodTemplate.",
        "ResourceQuota.",
        "Service.",
        "ServiceAccount.",
        "CSIDriver.storage.k8s.io",
        "CSINode.storage.k8s.io",
        "StorageClass.storage.k8s.io",
        "VolumeAttachment.storage.k8s.io",
    }
)
_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


@dataclass(frozen=True)
class Changing:
    """The handlers that write."""

    store: Store
    rbac: Rbac
    reading: Reading

    def create(self, call: Call) -> Response:
        """POST to a collection. Raises what `Store.create` raises."""
        sent, warnings = self._sent(call)
        options = self._options(call)
        made = self.store.create(sent, **options)
        return _warned(self._show(call, made, 201), warnings, options)

    def update(self, call: Call) -> Response:
        """PUT an object or its status; a custom resource must say which version it replaces."""
        sent, warnings = self._sent(call)
        if call.target.resource.custom and not sent["metadata"].get("resourceVersion"):
            words = "must be specified for an update"
            missing = FieldError("metadata.resourceVersion", words, GoText("0x0"))
            resource = call.target.resource
            raise invalid_kind(resource.plural, resource.group, call.target.name, [missing])
        options = self._options(call)
        return _warned(self._show(call, self.store.update(sent, **options)), warnings, options)

    def _sent(self, call: Call) -> tuple[Obj, list[str]]:
        """The object in the body, without fields that its kind lacks, and their paths."""
        resource = call.target.resource
        sent = decode_object(call.body, call.content_type, resource.kind)
        check_kind(self.store.registry, resource, stored(resource, sent))
        warnings = settle_unknown(resource, sent, call.query("fieldValidation"))
        return addressed(self.store.registry, call.target, sent), warnings

    def patch(self, call: Call) -> Response:
        """PATCH an object or its status; an apply may create it, which needs that right too."""
        kind = media_type(call.content_type)
        patch_type = PATCH_TYPES.get(kind)
        if patch_type is None:
            raise unknown_patch_type()
        patch = decode_patch(call.body, kind)
        target = call.target
        existed = self.store.shelf.find(target.resource, target.namespace, target.name) is not None
        if patch_type == "apply":
            patch = self._applied(call, patch, existed=existed)
        warnings = check_patched(target.resource, patch, patch_type, call.query("fieldValidation"))
        if patch_type != "apply" and isinstance(patch, dict):
            patch = stored(target.resource, patch)
        kind_name = f"{target.resource.kind}.{target.resource.group}"
        options = self._options(call)
        made = self.store.patch(kind_name, target.namespace, target.name, patch, patch_type, **options)
        return _warned(self._show(call, made, 200 if existed else 201), warnings, options)

    def _applied(self, call: Call, patch: Any, *, existed: bool) -> Obj:
        target = call.target
        config = applied(target, patch)
        if not existed:
            wanted = Attributes(
                "create", target.resource.group, target.resource.plural, "", target.namespace, target.name
            )
            self.rbac.require(call.user, wanted)
        return config

    def delete(self, call: Call) -> Response:
        """DELETE one object; the namespaces every cluster has stay (admission plugin NamespaceLifecycle)."""
        target = call.target
        if target.resource.storage == "Namespace." and target.name in _IMMORTAL:
            raise forbidden(target.resource, target.name, "this namespace may not be deleted")
        kind = f"{target.resource.kind}.{target.resource.group}"
        self._admit_deletion(call, self.store.shelf.find(target.resource, target.namespace, target.name))
        left = self.store.delete(kind, target.namespace, target.name, **self._deletion(call))
        waits = self.store.shelf.find(target.resource, target.namespace, target.name) is not None
        if waits and (not call.dry_run or "deletionTimestamp" in left["metadata"]):
            return self._show(call, left)
        if target.resource.storage in _RETURNED:
            return self._show(call, left)
        return success(call, left)

    def delete_collection(self, call: Call) -> Response:
        """DELETE everything a collection path and selectors name, as a real server does."""
        target = call.target
        labels, fields = call.query("labelSelector"), call.query("fieldSelector")
        chosen = self.store.select(target.resource, target.namespace, labels, fields)
        options = self._deletion(call)
        kind = f"{target.resource.kind}.{target.resource.group}"
        for obj in chosen:
            if self.store.shelf.find(
                target.resource, dig(obj, "metadata", "namespace", default=""), name_of(obj)
            ):
                self._admit_deletion(call, obj)
                self.store.delete(kind, dig(obj, "metadata", "namespace"), name_of(obj), **options)
        return answer(
            {
                "kind": f"{target.resource.kind}List",
                "apiVersion": target.resource.api_version,
                "metadata": {"resourceVersion": str(self.store.shelf.version)},
                "items": [listed(target.resource, shown(target.resource, obj)) for obj in chosen],
            }
        )

    def _admit_deletion(self, call: Call, live: Obj | None) -> None:
        """Webhooks may refuse a delete too; what is not there is refused by the Store. Raises ApiError."""
        if live is not None:
            asked = Review(
                call.target.resource, "DELETE", old=live, user=call.user.username, dry_run=call.dry_run
            )
            self.store.admission.delete(asked)

    def _show(self, call: Call, obj: Obj, status: int = 200) -> Response:
        return self.reading.show(call, shown(call.target.resource, obj), status)

    def _options(self, call: Call) -> WriteOptions:
        return {
            "manager": call.query("fieldManager") if self._applying(call) else call.manager,
            "user": call.user.username,
            "subresource": call.target.subresource or None,
            "dry_run": call.dry_run,
            "force": call.flag("force"),
            "warnings": [],
        }

    def _applying(self, call: Call) -> bool:
        return call.verb == "patch" and media_type(call.content_type) == "application/apply-patch+yaml"

    def _deletion(self, call: Call) -> DeletionOptions:
        propagation = call.deletion_option("propagationPolicy") or "Background"
        if call.deletion_option("orphanDependents") in {True, "true"}:
            propagation = "Orphan"
        preconditions = call.deletion_option("preconditions")
        return {
            "uid": dig(preconditions, "uid"),
            "resource_version": dig(preconditions, "resourceVersion"),
            "propagation": str(propagation),
            "grace_s": _seconds(call.deletion_option("gracePeriodSeconds")),
            "dry_run": call.dry_run,
        }


def _seconds(asked: Any) -> int | None:
    """A grace period; a negative one counts as one second (`rest.BeforeDelete`). Raises ApiError 400, 500."""
    if asked is None:
        return None
    number = whole(asked) if isinstance(asked, str) else asked
    if not isinstance(number, int) or isinstance(number, bool):
        field = "DeleteOptions.gracePeriodSeconds of type int64"
        raise go_error(f"json: cannot unmarshal {go_kind(asked)} into Go struct field {field}")
    return 1 if number < 0 else number


def _warned(response: Response, paths: list[str], options: WriteOptions) -> Response:
    unknown = (path.replace('"', "'")[:200] for path in paths[:10])
    for words in (*(f'unknown field "{path}"' for path in unknown), *options["warnings"]):
        text = words.encode("ascii", "backslashreplace").decode().replace("\\", "\\\\").replace('"', '\\"')
        if text.isprintable():
            response.headers.append("Warning", f'299 - "{text}"')
    return response

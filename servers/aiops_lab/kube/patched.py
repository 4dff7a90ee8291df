"""What a patch made of an object, checked before it is written: identity, and the types of its fields.

After endpoints/handlers/patch.go and `ValidateObjectMetaUpdate`; a real server quotes the whole outcome, or
for a strategic patch the patch itself.
"""

from typing import Any

import orjson

from aiops_lab.kube.addressing import bad_patch, check_name
from aiops_lab.kube.admission.shapes import check_shape
from aiops_lab.kube.errors import ApiError, FieldError, bad_request, invalid
from aiops_lab.kube.gotext import go_map
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig, name_of, namespace_of

_NO_NAMESPACE_MATCH = "the namespace of the provided object does not match the namespace sent on the request"


def check_outcome(resource: Resource, live: Obj, patched: Obj, quoted: Any) -> None:
    """Raises ApiError 400 or 422 where a patch changes who an object is, or breaks its shape."""
    try:
        check_shape(resource, patched)
    except ApiError as error:
        raise _misshapen(error, quoted, strategic=quoted is not patched) from error
    meta = patched.get("metadata")
    if not isinstance(meta, dict):
        raise bad_request("metadata must be an object")
    if name_of(patched) != name_of(live):
        check_name(meta, name_of(live))
    if dig(meta, "namespace", default="") not in {"", namespace_of(live)}:
        raise bad_request(_NO_NAMESPACE_MATCH)
    check_uid(resource, live, patched)


def check_uid(resource: Resource, live: Obj, patched: Obj) -> None:
    """A patch cannot choose another uid; two validations say so at once. Raises ApiError 422."""
    uid = dig(patched, "metadata", "uid", default="")
    if uid and uid != live["metadata"]["uid"]:
        wrong = FieldError("metadata.uid", "field is immutable", uid)
        raise invalid(resource, name_of(live), [wrong, wrong])


def _misshapen(error: ApiError, quoted: Any, *, strategic: bool) -> ApiError:
    words = error.message[max(error.message.find("json: "), 0) :]
    if not strategic:
        return bad_patch(words, orjson.dumps(quoted).decode())
    got = words.removeprefix("json: cannot unmarshal ").partition(" ")[0]
    wanted = words.rpartition(" of type ")[2]
    if wanted.startswith(("v1.", "map[", "[]")):
        held = {"number": "int64", "array": "slice", "object": "map"}.get(got, got)
        target = {"v": "struct", "m": "map", "[": "slice"}[wanted[0]]
        return bad_patch(f"cannot restore {target} from: {held}", go_map(quoted))
    return bad_patch(f"unrecognized type: {wanted}", go_map(quoted))

"""Further kinds of the family policy: quotas, admission, webhooks, namespaces, the API itself."""

from aiops_eks.diagnosis.further.base import FurtherKind

FURTHER: tuple[FurtherKind, ...] = ()

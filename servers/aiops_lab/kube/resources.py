"""Which kinds the simulated API serves: a table, not code. CRDs join it when they are declared."""

from dataclasses import dataclass, replace
from functools import cached_property

PrinterColumn = tuple[str, str, str, int]  # name, type, JSON path, priority


@dataclass(frozen=True)
class Resource:
    """One served kind, as discovery lists it."""

    group: str
    version: str
    plural: str
    kind: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    printer_columns: tuple[PrinterColumn, ...] = ()
    custom: bool = False  # declared by a CRD: no strategic merge, lists are atomic
    verbs: tuple[str, ...] = (
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    )

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property  # asked at every write
    def gvk(self) -> tuple[str, str, str]:
        """Group, version and kind."""
        return self.group, self.version, self.kind

    @cached_property  # asked at every write
    def storage(self) -> str:
        """Under which key objects are stored; both Event APIs show the same objects."""
        group = "" if self.kind == "Event" else self.group
        return f"{self.kind}.{group}"

    @property
    def has_status(self) -> bool:
        """Whether status is written through its own subresource."""
        return "status" in self.subresources


def _rows(group: str, version: str, table: str, *, custom: bool = False) -> tuple[Resource, ...]:
    """Read lines of `plural Kind scope short,names sub,resources cate,gories` (`-` for none)."""
    found = []
    for line in table.strip().splitlines():
        plural, kind, scope, short, subs, categories = line.split()
        names = [tuple(part.split(",")) if part != "-" else () for part in (short, subs, categories)]
        found.append(
            Resource(
                group=group,
                version=version,
                plural=plural,
                kind=kind,
                singular=kind.lower(),
                namespaced=scope == "ns",
                short_names=names[0],
                subresources=names[1],
                categories=names[2],
                custom=custom,
            )
        )
    return tuple(found)


_CORE = """
pods Pod ns po status,log,eviction,ephemeralcontainers,exec,attach,portforward,proxy,binding,resize all
services Service ns svc status,proxy all
configmaps ConfigMap ns cm - -
secrets Secret ns - - -
nodes Node cluster no status,proxy -
namespaces Namespace cluster ns status,finalize -
events Event ns ev - -
endpoints Endpoints ns ep - -
persistentvolumes PersistentVolume cluster pv status -
persistentvolumeclaims PersistentVolumeClaim ns pvc status -
serviceaccounts ServiceAccount ns sa token -
replicationcontrollers ReplicationController ns rc status,scale all
resourcequotas ResourceQuota ns quota status -
limitranges LimitRange ns limits - -
podtemplates PodTemplate ns - - -
"""
_APPS = """
deployments Deployment ns deploy status,scale all
replicasets ReplicaSet ns rs status,scale all
statefulsets StatefulSet ns sts status,scale all
daemonsets DaemonSet ns ds status all
controllerrevisions ControllerRevision ns - - -
"""
_BATCH = """
jobs Job ns - status all
cronjobs CronJob ns cj status all
"""
_NETWORKING = """
ingresses Ingress ns ing status -
ingressclasses IngressClass cluster - - -
networkpolicies NetworkPolicy ns netpol - -
"""
_STORAGE = """
storageclasses StorageClass cluster sc - -
csinodes CSINode cluster - - -
csidrivers CSIDriver cluster - - -
volumeattachments VolumeAttachment cluster - status -
"""
_RBAC = """
roles Role ns - - -
rolebindings RoleBinding ns - - -
clusterroles ClusterRole cluster - - -
clusterrolebindings ClusterRoleBinding cluster - - -
"""
_ADMISSION = """
mutatingwebhookconfigurations MutatingWebhookConfiguration cluster - - api-extensions
validatingwebhookconfigurations ValidatingWebhookConfiguration cluster - - api-extensions
validatingadmissionpolicies ValidatingAdmissionPolicy cluster - status api-extensions
validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding cluster - - api-extensions
"""


def _measured(*rows: str) -> tuple[Resource, ...]:
    found = _rows("metrics.k8s.io", "v1beta1", "\n".join(rows))
    return tuple(replace(one, singular="", verbs=("get", "list")) for one in found)


def _asked(group: str, row: str) -> tuple[Resource, ...]:
    return tuple(replace(one, verbs=("create",)) for one in _rows(group, "v1", row))


def _core() -> tuple[Resource, ...]:
    """A real server has no deletecollection for namespaces."""
    rows = _rows("", "v1", _CORE)
    kept = tuple(verb for verb in rows[0].verbs if verb != "deletecollection")
    return tuple(replace(one, verbs=kept) if one.kind == "Namespace" else one for one in rows)


BUILT_IN: tuple[Resource, ...] = (
    *_core(),
    *_rows("apps", "v1", _APPS),
    *_rows("batch", "v1", _BATCH),
    *_rows("autoscaling", "v2", "horizontalpodautoscalers HorizontalPodAutoscaler ns hpa status all"),
    *_rows("policy", "v1", "poddisruptionbudgets PodDisruptionBudget ns pdb status -"),
    *_rows("networking.k8s.io", "v1", _NETWORKING),
    *_rows("discovery.k8s.io", "v1", "endpointslices EndpointSlice ns - - -"),
    *_rows("storage.k8s.io", "v1", _STORAGE),
    *_rows("rbac.authorization.k8s.io", "v1", _RBAC),
    *_rows("scheduling.k8s.io", "v1", "priorityclasses PriorityClass cluster pc - -"),
    *_rows("coordination.k8s.io", "v1", "leases Lease ns - - -"),
    *_rows("events.k8s.io", "v1", "events Event ns ev - -"),
    *_rows("admissionregistration.k8s.io", "v1", _ADMISSION),
    *_rows(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions CustomResourceDefinition cluster crd,crds status api-extensions",
    ),
    *_rows("apiregistration.k8s.io", "v1", "apiservices APIService cluster - status api-extensions"),
    *_measured("pods PodMetrics ns - - -", "nodes NodeMetrics cluster - - -"),
    *_asked("authorization.k8s.io", "selfsubjectaccessreviews SelfSubjectAccessReview cluster - - -"),
    *_asked("authorization.k8s.io", "selfsubjectrulesreviews SelfSubjectRulesReview cluster - - -"),
    *_asked("authentication.k8s.io", "selfsubjectreviews SelfSubjectReview cluster - - -"),
)


def _ready(name: str = "Ready") -> PrinterColumn:
    return (name, "string", f'.status.conditions[?(@.type=="{name}")].status', 0)


_AGE: PrinterColumn = ("Age", "date", ".metadata.creationTimestamp", 0)


def _declared(group: str, version: str, row: str, *columns: PrinterColumn) -> Resource:
    resource = _rows(group, version, row, custom=True)[0]
    return replace(resource, printer_columns=columns)


LAB_CRDS: tuple[Resource, ...] = (
    _declared(
        "karpenter.sh",
        "v1",
        "nodepools NodePool cluster - status,scale karpenter",
        ("NodeClass", "string", ".spec.template.spec.nodeClassRef.name", 0),
        ("Nodes", "string", ".status.resources.nodes", 0),
        _ready(),
        _AGE,
        ("Weight", "integer", ".spec.weight", 1),
        ("CPU", "string", ".status.resources.cpu", 1),
        ("Memory", "string", ".status.resources.memory", 1),
    ),
    _declared(
        "karpenter.sh",
        "v1",
        "nodeclaims NodeClaim cluster - status karpenter",
        ("Type", "string", r".metadata.labels.node\.kubernetes\.io/instance-type", 0),
        ("Capacity", "string", r".metadata.labels.karpenter\.sh/capacity-type", 0),
        ("Zone", "string", r".metadata.labels.topology\.kubernetes\.io/zone", 0),
        ("Node", "string", ".status.nodeName", 0),
        _ready(),
        _AGE,
        ("ImageID", "string", ".status.imageID", 1),
        ("ID", "string", ".status.providerID", 1),
        ("NodePool", "string", r".metadata.labels.karpenter\.sh/nodepool", 1),
        ("NodeClass", "string", ".spec.nodeClassRef.name", 1),
        ("Drifted", "string", '.status.conditions[?(@.type=="Drifted")].status', 1),
    ),
    _declared(
        "karpenter.k8s.aws",
        "v1",
        "ec2nodeclasses EC2NodeClass cluster ec2nc,ec2ncs status karpenter",
        _ready(),
        _AGE,
        ("Role", "string", ".spec.role", 1),
    ),
    _declared(
        "argoproj.io",
        "v1alpha1",
        "applications Application ns app,apps - -",
        ("Sync Status", "string", ".status.sync.status", 0),
        ("Health Status", "string", ".status.health.status", 0),
        ("Revision", "string", ".status.sync.revision", 10),
        ("Project", "string", ".spec.project", 10),
    ),
    _declared(
        "cert-manager.io",
        "v1",
        "certificates Certificate ns cert,certs status cert-manager",
        _ready(),
        ("Secret", "string", ".spec.secretName", 0),
        ("Issuer", "string", ".spec.issuerRef.name", 1),
        _AGE,
    ),
    _declared(
        "gateway.networking.k8s.io",
        "v1",
        "gatewayclasses GatewayClass cluster gc status gateway-api",
        ("Controller", "string", ".spec.controllerName", 0),
        _ready("Accepted"),
        _AGE,
    ),
    _declared(
        "gateway.networking.k8s.io",
        "v1",
        "gateways Gateway ns gtw status gateway-api",
        ("Class", "string", ".spec.gatewayClassName", 0),
        _ready("Programmed"),
        _AGE,
    ),
    _declared(
        "gateway.networking.k8s.io",
        "v1",
        "httproutes HTTPRoute ns - status gateway-api",
        ("Hostnames", "string", ".spec.hostnames", 0),
        _AGE,
    ),
    _declared(
        "security.istio.io",
        "v1",
        "peerauthentications PeerAuthentication ns pa status istio-io",
        ("Mode", "string", ".spec.mtls.mode", 0),
        _AGE,
    ),
    _declared(
        "autoscaling.k8s.io",
        "v1",
        "verticalpodautoscalers VerticalPodAutoscaler ns vpa status -",
        ("Mode", "string", ".spec.updatePolicy.updateMode", 0),
        _AGE,
    ),
)

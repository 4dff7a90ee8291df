"""A real Kubernetes control plane for tests: etcd and kube-apiserver, on request controllers and nodes.

It follows envtest's convention: `KUBEBUILDER_ASSETS` names a folder with the programs, which
`controlplane/build.sh` (called by `make cluster-test`) makes from published Go modules. Everything listens
on loopback, lives in one folder and ends with the test session. Its face is that of `aiops_lab.run.Lab`
where both have one: `kube_url`, `ca_path`, `token(identity)`, `kubeconfig(identity)`.
"""

import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from aiops_lab.kube.tls import Certificates, make_certificates
from aiops_shared.settings import inherited

BUILT = Path(__file__).parents[2] / ".cache" / "controlplane"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
MISSING = (
    "no control plane: `make cluster-test` builds one with Go (5 minutes, once), or let KUBEBUILDER_ASSETS "
    f"name a folder with {', '.join(PROGRAMS)}"
)
OWN_LOGS = ("app", "sidecar")  # containers that have a log file of their own (`container_log`)
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 15.0
# The names and groups that the lab gives the same identities (`aiops_lab/aws/principals.py`).
GROUPS = {
    "lab-admin": ("system:masters",),
    "aiops-reader": ("aiops:read",),
    "aiops-planner": ("aiops:plan",),
    "aiops-executor": ("aiops:execute",),
    "ci-cleanup": ("aiops:ci",),
}


class ControlPlaneError(RuntimeError):
    """A program of the control plane did not come up; carries the end of its log."""


def assets() -> Path | None:
    """The folder with the programs, or None when there is none."""
    named = inherited("KUBEBUILDER_ASSETS").get("KUBEBUILDER_ASSETS")
    folder = Path(named) if named else BUILT
    return folder if all((folder / program).exists() for program in PROGRAMS) else None


@dataclass(frozen=True)
class Shape:
    """Which parts run.

    Without controllers nothing changes an object but the test: what a recorded world needs. `storage_json`
    keeps objects as JSON in etcd, where a test may set what only the server writes (creationTimestamp).
    """

    controllers: bool = True  # kube-controller-manager and kube-scheduler
    nodes: int = 0  # played by kwok: pods become Running, logs and metrics are kwok's
    storage_json: bool = False
    flags: tuple[str, ...] = ()  # more flags of kube-apiserver
    audited: bool = True  # kube-apiserver writes an audit log, with the bodies of all writes


BARE = Shape(controllers=False, storage_json=True, flags=("--disable-admission-plugins=ServiceAccount",))


@dataclass
class ControlPlane:
    """A running control plane."""

    folder: Path
    programs: Path
    shape: Shape
    certificates: Certificates
    port: int
    etcd_port: int
    kubelet_port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    # What a client needs.

    @property
    def kube_url(self) -> str:
        """Where the API answers."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def etcd_url(self) -> str:
        """Where etcd answers, without TLS, on loopback."""
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def ca_path(self) -> Path:
        """The CA that signed the API's certificate."""
        return self.certificates.ca_path

    @property
    def kubectl(self) -> Path:
        """The kubectl built from the same sources."""
        return self.programs / "kubectl"

    def token(self, identity: str = "lab-admin") -> str:
        """The static bearer token of an identity (`GROUPS`)."""
        if identity not in GROUPS:
            raise KeyError(identity)
        return f"token-worth-nothing-{identity}"

    def kubeconfig(self, identity: str = "lab-admin", namespace: str = "default") -> Path:
        """A kubeconfig file that acts as the identity."""
        path = self.folder / f"kubeconfig-{identity}-{namespace}.json"
        user = {"name": identity, "user": {"token": self.token(identity)}}
        cluster = {
            "server": self.kube_url,
            "certificate-authority-data": self.certificates.ca_base64,
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [user],
            "contexts": [
                {"name": "real", "context": {"cluster": "real", "user": identity, "namespace": namespace}}
            ],
            "current-context": "real",
        }
        path.write_text(json.dumps(content))
        path.chmod(0o600)
        return path

    def client(self, identity: str = "lab-admin") -> httpx.AsyncClient:
        """A plain HTTP client of the API."""
        return httpx.AsyncClient(
            base_url=self.kube_url,
            headers={"authorization": f"Bearer {self.token(identity)}"},
            verify=ssl.create_default_context(cafile=str(self.ca_path)),
            trust_env=False,
            timeout=30.0,
        )

    def container_log(self, container: str = "", *, previous: bool = False) -> Path:
        """The file (CRI format) that the played kubelets show as the log of every container of that name.

        "" is for containers without a file of their own; those with one are `OWN_LOGS`.
        """
        name = container if container in OWN_LOGS else "any"
        return self.folder / "logs" / f"{name}{'-previous' if previous else ''}.log"

    def audited(self) -> list[dict[str, Any]]:
        """Every finished request so far, as kube-apiserver's own audit log has it (audit.k8s.io/v1)."""
        lines = (self.folder / "audit.log").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def log(self, program: str) -> str:
        """What a program has said so far."""
        return (self.folder / f"{program}.log").read_text(errors="replace")

    # Starting and stopping.

    def start(self) -> None:
        """Start every part and wait until it is ready. Raises ControlPlaneError."""
        self._write_files()
        self._run("etcd", self._etcd())
        self._run("kube-apiserver", self._apiserver())
        self._until_ready("kube-apiserver", f"{self.kube_url}/readyz")
        if self.shape.controllers:
            self._run("kube-controller-manager", self._controller_manager())
            self._run("kube-scheduler", self._scheduler())
            self._until_ready("kube-controller-manager", f"{self.kube_url}{_DEFAULT_ACCOUNT}")
        if self.shape.nodes:
            self._run("kwok", self._kwok())
            for number in range(self.shape.nodes):
                self._send("POST", "/api/v1/nodes", _node(number))

    def stop(self) -> None:
        """End every part, the last started first."""
        for process in reversed(self.running.values()):
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def pause(self, program: str) -> None:
        """End one part, as a crash would."""
        process = self.running.pop(program)
        process.kill()
        process.wait()

    def _write_files(self) -> None:
        users = (
            f'{self.token(name)},{name},{name},"{",".join(groups)}"\n' for name, groups in GROUPS.items()
        )
        (self.folder / "tokens.csv").write_text("".join(users))
        policy = {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived", "ResponseStarted"],
            "rules": [{"level": "RequestResponse", "verbs": _WRITES}, {"level": "Metadata"}],
        }
        (self.folder / "audit.json").write_text(json.dumps(policy))
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "accounts.key").write_bytes(pem)
        self._write_logs()

    def _write_logs(self) -> None:
        """An empty log for every container, and the configuration that makes kwok show it."""
        logs: list[dict[str, Any]] = []
        for name in ("", *OWN_LOGS):
            now, before = self.container_log(name), self.container_log(name, previous=True)
            now.parent.mkdir(exist_ok=True)
            now.touch()
            logs.append(
                {"containers": [name] * bool(name), "logsFile": str(now), "previousLogsFile": str(before)}
            )
        shown = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs"}
        config = {**shown, "metadata": {"name": "all"}, "spec": {"logs": logs}}
        (self.folder / "kwok.json").write_text(json.dumps(config))

    def _etcd(self) -> list[str]:
        peer = f"http://127.0.0.1:{_free_port()}"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver(self) -> list[str]:
        audit = [
            f"--audit-policy-file={self.folder / 'audit.json'}",
            f"--audit-log-path={self.folder / 'audit.log'}",
        ]
        media = ["--storage-media-type=application/json"] if self.shape.storage_json else []
        return [
            f"--etcd-servers={self.etcd_url}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--tls-cert-file={self.certificates.certificate_path}",
            f"--tls-private-key-file={self.certificates.key_path}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/12",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'accounts.key'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            f"--cert-dir={self.folder / 'certs'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged=true",
            "--endpoint-reconciler-type=none",
            *(audit if self.shape.audited else ()),
            *media,
            *self.shape.flags,
        ]

    def _controller_manager(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig()}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={_free_port()}",
            f"--cert-dir={self.folder / 'certs-controllers'}",
            "--node-monitor-grace-period=10m",  # on a busy machine kwok renews leases late
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--root-ca-file={self.ca_path}",
            "--use-service-account-credentials=false",
        ]

    def _scheduler(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig()}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={_free_port()}",
            f"--cert-dir={self.folder / 'certs-scheduler'}",
        ]

    def _kwok(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig()}",
            "--manage-all-nodes=true",
            f"--config={self.folder / 'kwok.json'}",
            f"--server-address=127.0.0.1:{self.kubelet_port}",
            f"--node-port={self.kubelet_port}",
            f"--tls-cert-file={self.certificates.certificate_path}",
            f"--tls-private-key-file={self.certificates.key_path}",
            "--node-ip=127.0.0.1",
            "--cidr=10.0.0.0/16",
        ]

    def _run(self, program: str, flags: Sequence[str]) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            self.running[program] = subprocess.Popen(
                [self.programs / program, *flags],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={"PATH": os.defpath, "HOME": str(self.folder), **_COLLECTS_LATE},
                cwd=self.folder,
            )

    def _until_ready(self, program: str, url: str) -> None:
        until, pause = time.monotonic() + READY_WITHIN_S, threading.Event()
        while time.monotonic() < until:
            if self.running[program].poll() is not None:
                break
            try:
                self._ask("GET", url)
            except (OSError, urllib.error.HTTPError):
                pause.wait(0.1)
            else:
                return
        raise ControlPlaneError(f"{program} is not ready: {self.log(program)[-3000:]}")

    def _send(self, method: str, path: str, body: dict[str, Any]) -> None:
        self._ask(method, f"{self.kube_url}{path}", json.dumps(body).encode())

    def _ask(self, method: str, url: str, body: bytes | None = None) -> None:
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310
        context = ssl.create_default_context(cafile=str(self.ca_path))
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
            answer.read()


# They hold little and make much garbage, so they collect at five times what they hold instead of twice.
_COLLECTS_LATE = {"GOGC": "400"}
_WRITES = ["create", "update", "patch", "delete", "deletecollection"]
_DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


def _node(number: int) -> dict[str, Any]:
    room = {"cpu": "4", "memory": "16Gi", "pods": "58", "ephemeral-storage": "80Gi"}
    zone = f"us-east-1{'abc'[number % 3]}"
    labels = {
        "kubernetes.io/hostname": f"node-{number}",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": zone,
        "type": "kwok",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{number}", "labels": labels},
        "status": {"allocatable": room, "capacity": room},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_control_plane(folder: Path, programs: Path, shape: Shape) -> Iterator[ControlPlane]:
    """A control plane of that shape in a folder of its own; stopped at the end, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    plane = ControlPlane(
        folder=folder,
        programs=programs,
        shape=shape,
        certificates=make_certificates(folder / "tls", datetime.fromtimestamp(time.time(), UTC)),
        port=_free_port(),
        etcd_port=_free_port(),
        kubelet_port=_free_port(),
    )
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()

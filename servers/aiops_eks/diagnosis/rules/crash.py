"""Programs that end: by their own error, by a missing file, by a signal, or simply because they are done.

Asked after memory, probes and configuration, which know more. The exit code narrows, the last telling log
line decides; without logs the answer stays APP_ERROR with less confidence.
Sources: exit codes 126, 127, 128+n as in POSIX shells and `pkg/kubelet/kuberuntime` StartError; runc texts.
"""

from aiops_eks.diagnosis.blame import Blame, blamed, telling_line
from aiops_eks.diagnosis.case import STARTING, Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Termination
from aiops_eks.diagnosis.quantities import duration_text

SOP = "pod-crashloop"
_EXIT = "exit status in the container status; POSIX exit codes"
_SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}


def _cause(code: str, means: str, told_by: str, next_step: str, source: str = _EXIT) -> Cause:
    return Cause(code, "high", means, told_by, source, next_step, SOP)


APP_ERROR = _cause(
    "APP_ERROR",
    "The program ends with an error of its own.",
    "Exit code above 0, not OOMKilled, no probe kill, every referenced object exists (or the log blames "
    "something "
    "else than the absent one); the telling log line is quoted.",
    "read the quoted line and get_pod_logs(previous=auto); compare with the last revision (rollback with "
    "plan_workload_change when the error came with it)",
)
DEPENDENCY_UNREACHABLE = _cause(
    "DEPENDENCY_UNREACHABLE",
    "The program ends because something that it calls does not answer or does not resolve.",
    "The telling log line holds a connection or name resolution error (connection refused, no such "
    "host, timeout).",
    "diagnose the Service or database named in the line; check NetworkPolicy, DNS and the address",
    "the resolver's and the socket layer's error texts (Go net, libc, JVM)",
)
PERMISSION_DENIED = _cause(
    "PERMISSION_DENIED",
    "The program may not do what it tries: a file, a port or an API refuses it.",
    "permission denied, EACCES or operation not permitted in the telling line; AWS AccessDenied too.",
    "compare securityContext (runAsUser, fsGroup, capabilities) or the role with what the line names",
    "errno(3)",
)
READ_ONLY_FILESYSTEM = _cause(
    "READ_ONLY_FILESYSTEM",
    "The program writes to a read-only file system.",
    "read-only file system in the telling line.",
    "mount an emptyDir where it writes (scan_manifest with fix does it for /tmp)",
    "errno(3) EROFS",
)
PORT_IN_USE = _cause(
    "PORT_IN_USE",
    "Two processes want the same port of the pod or the node.",
    "address already in use in the telling line.",
    "look for a second container or hostNetwork pod with the same port",
    "errno(3) EADDRINUSE",
)
OUT_OF_DISK = _cause(
    "OUT_OF_DISK",
    "The program has no disk space left.",
    "no space left on device in the telling line.",
    "find what fills the volume; grow it or its limit",
    "errno(3) ENOSPC",
)
CERTIFICATE_EXPIRED = _cause(
    "CERTIFICATE_EXPIRED",
    "The program ends because a certificate is not valid at this time.",
    "certificate has expired (or is not yet valid) in the telling line.",
    "renew the certificate that the line names; check the node's clock",
    "X.509 verifiers' texts (Go crypto/x509, OpenSSL)",
)
WRONG_ARCHITECTURE = _cause(
    "WRONG_ARCHITECTURE",
    "The image is built for another processor than the node's.",
    "exec format error in the log, the termination or the event.",
    "build a multi-platform image, or select nodes with kubernetes.io/arch",
    "execve(2) ENOEXEC",
)
BAD_ARGUMENTS = _cause(
    "BAD_ARGUMENTS",
    "The program does not know its arguments.",
    "unknown flag, invalid option or a usage text as the telling line.",
    "compare command and args with the image's version",
)
SETTING_MISSING = _cause(
    "SETTING_MISSING",
    "The program asks for a setting that nothing in its manifest was ever going to give.",
    "The telling line asks for a setting, and the container refers to no ConfigMap or Secret at all. With a "
    "reference it is CONFIGMAP_MISSING, CONFIG_KEY_MISSING or APP_ERROR.",
    "give the setting that the line names, as env or through a ConfigMap (plan_manifest)",
)
COMMAND_NOT_FOUND = _cause(
    "COMMAND_NOT_FOUND",
    "The command of the container does not exist in the image, or cannot be executed.",
    "Exit 127 or 126, or a StartError with `executable file not found` or `no such file or directory`.",
    "compare command and args with the image; check that the entry point is executable",
    "runc start errors; exit codes 126, 127",
)
KILLED_BY_SIGNAL = _cause(
    "KILLED_BY_SIGNAL",
    "The program dies of a signal.",
    "Exit code 128+n without OOMKilled and without a probe kill: 139 is a segmentation fault, 134 an abort.",
    "get_pod_logs(previous=auto); a segmentation fault is the program's or a native library's",
)
CONTAINER_EXITS = _cause(
    "CONTAINER_EXITS",
    "The program finishes normally, but its pod wants it to run for ever.",
    "CrashLoopBackOff with exit code 0 and no probe kill.",
    "run it as a Job, or give it a command that stays",
)

BY_BLAME: dict[Blame, Cause] = {
    Blame.DEPENDENCY: DEPENDENCY_UNREACHABLE,
    Blame.PERMISSION: PERMISSION_DENIED,
    Blame.READ_ONLY: READ_ONLY_FILESYSTEM,
    Blame.PORT: PORT_IN_USE,
    Blame.DISK: OUT_OF_DISK,
    Blame.CERTIFICATE: CERTIFICATE_EXPIRED,
    Blame.ARCHITECTURE: WRONG_ARCHITECTURE,
    Blame.ARGUMENTS: BAD_ARGUMENTS,
}
_PREDICATES = {
    "DEPENDENCY_UNREACHABLE": "crashes: something it calls is unreachable",
    "PERMISSION_DENIED": "crashes: permission denied",
    "READ_ONLY_FILESYSTEM": "crashes: it writes to a read-only file system",
    "PORT_IN_USE": "crashes: its port is in use",
    "OUT_OF_DISK": "crashes: no disk space left",
    "CERTIFICATE_EXPIRED": "crashes: a certificate is not valid",
    "WRONG_ARCHITECTURE": "crashes: the image is built for another processor",
    "BAD_ARGUMENTS": "crashes: it does not know its arguments",
    "SETTING_MISSING": "crashes: a required setting is missing",
    "APP_ERROR": "crashes with an error of its own",
}

_OWN = "an error of its own, which its quoted log line tells"
_UNSAID = "an error of its own; no log line says which"


def _told(case: Case, cause: Cause, predicate: str, root_cause: str, line: str = "", extra: int = 0) -> Told:
    evidence = [case.status_evidence()]
    if line:
        evidence.append(case.log_evidence(line))
    evidence.extend(case.event_evidence(e) for e in case.recent("BackOff", within_s=3600.0)[:1])
    return Told(
        cause=cause,
        at=case.subject,
        subject=case.subject,
        predicate=predicate,
        root_cause=root_cause,
        hurts=(case.pod.ref,),
        evidence=tuple(evidence),
        agree=len(evidence) + extra,
        doubt=0 if line or extra else 1,
        ruled_out=_ruled_out(case, line),
    )


def _ruled_out(case: Case, line: str) -> tuple[str, ...]:
    found = ["out of memory: not OOMKilled"]
    if not any(e.reason == "Killing" and "probe" in e.message for e in case.events):
        found.append("liveness probe: the kubelet did not kill it")
    absent = {need.target for need, _ in case.absent()}
    looked = [n.target for n in case.needs if case.facts.lookup(n.target) is not None]
    if absent:
        why = "the log blames something else" if line else "nothing in the log names it"
        found.extend(f"{target} (optional) does not exist: {why}" for target in sorted(absent))
    elif looked:
        found.append(f"missing configuration: {', '.join(sorted({str(t) for t in looked})[:3])} exist")
    return tuple(found)


def _death(case: Case) -> Termination | None:
    return case.container.death if case.container else None


def not_startable(case: Case) -> Told | None:
    """COMMAND_NOT_FOUND or WRONG_ARCHITECTURE: the runtime could not start the command."""
    container, death = case.container, _death(case)
    if container is None:
        return None
    said = [container.waiting_message if container.waiting_reason not in STARTING else ""]
    said += [death.message if death else "", *(e.message for e in case.recent("Failed"))]
    words = " ".join(said)
    last = telling_line(case.lines)
    if "exec format error" in words or blamed(last) is Blame.ARCHITECTURE:
        line = last if "exec format error" in last else ""
        text = f"Container {container.name} cannot run on node {case.pod.node}: exec format error."
        predicate = _PREDICATES["WRONG_ARCHITECTURE"]
        return _told(case, WRONG_ARCHITECTURE, predicate, text, line, extra=1)
    missing = any(t in words for t in ("executable file not found", "no such file or directory: unknown"))
    if not missing and (death is None or death.exit_code not in {126, 127}):
        return None
    command = f" ({' '.join(container.command)[:80]})" if container.command else ""
    text = f"The command of container {container.name}{command} is not in its image or not executable."
    return _told(
        case,
        COMMAND_NOT_FOUND,
        "cannot start: its command does not exist",
        text,
        last,
        extra=1,
    )


def finished(case: Case) -> Told | None:
    """CONTAINER_EXITS: done, and restarted because the pod says Always."""
    container, death = case.container, _death(case)
    if container is None or death is None or death.exit_code != 0 or container.role == "init":
        return None
    if case.pod.restart_policy != "Always" or (
        not container.waiting_reason and container.running_since is None
    ):
        return None
    lived = f" after {duration_text(death.lived_s)}" if death.lived_s is not None else ""
    text = f"Container {container.name} ends with exit code 0{lived} and is restarted for ever."
    return _told(case, CONTAINER_EXITS, "ends normally again and again", text, extra=1)


def signalled(case: Case) -> Told | None:
    """KILLED_BY_SIGNAL: 128+n and nobody said why."""
    container, death = case.container, _death(case)
    if container is None or death is None or death.reason == "OOMKilled":
        return None
    number = death.signal or (death.exit_code - 128 if 129 <= death.exit_code <= 159 else 0)
    if number not in _SIGNALS:
        return None
    text = f"Container {container.name} dies of {_SIGNALS[number]} (exit code {death.exit_code})."
    return _told(
        case, KILLED_BY_SIGNAL, f"dies of {_SIGNALS[number]}", text, telling_line(case.lines), extra=1
    )


def by_log(case: Case) -> Told | None:
    """APP_ERROR or a closer word for it, by the telling line of the log."""
    container, death = case.container, _death(case)
    if container is None or death is None or death.exit_code == 0:
        return None
    line = telling_line(case.lines)
    cause = _cause_of(case, line)
    lived = f" {duration_text(death.lived_s)} after its start" if death.lived_s is not None else ""
    why = _PREDICATES[cause.code].removeprefix("crashes").removeprefix(":").strip()
    said = f"{why}, as its quoted log line says" if cause is not APP_ERROR else _OWN if line else _UNSAID
    who = f"{'Init container' if container.role == 'init' else 'Container'} {container.name}"
    text = f"{who} exits with code {death.exit_code}{lived}: {said}."
    return _told(case, cause, _PREDICATES[cause.code], text, line)


def _cause_of(case: Case, line: str) -> Cause:
    blame = blamed(line) if line else None
    if blame is Blame.SETTING and not any(n.target.kind in {"ConfigMap", "Secret"} for n in case.needs):
        return SETTING_MISSING
    return BY_BLAME.get(blame, APP_ERROR) if blame else APP_ERROR


START = (CaseRule((COMMAND_NOT_FOUND, WRONG_ARCHITECTURE), not_startable),)
RULES = (
    CaseRule((CONTAINER_EXITS,), finished),
    CaseRule((KILLED_BY_SIGNAL,), signalled),
    CaseRule((*BY_BLAME.values(), SETTING_MISSING, APP_ERROR), by_log),
)

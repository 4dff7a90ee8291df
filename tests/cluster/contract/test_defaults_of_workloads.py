"""What a server fills in: pods and workloads."""

import pytest

from tests.cluster.contract.defaults import named, shown
from tests.cluster.contract.objects import APPS, BATCH, DEPLOYMENTS, PODS, deployment, job, pod
from tests.cluster.contract.server import Obj, Server

CASES: tuple[tuple[str, str, Obj, Obj], ...] = (
    (
        "deployment",
        DEPLOYMENTS,
        deployment(),
        {
            "metadata": {"generation": 1},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "containers": [
                            {
                                "name": "app",
                                "image": "registry.example/app:1",
                                "resources": {},
                                "terminationMessagePath": "/dev/termination-log",
                                "terminationMessagePolicy": "File",
                                "imagePullPolicy": "IfNotPresent",
                            }
                        ],
                        "restartPolicy": "Always",
                        "terminationGracePeriodSeconds": 30,
                        "dnsPolicy": "ClusterFirst",
                        "securityContext": {},
                        "schedulerName": "default-scheduler",
                    },
                },
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
                },
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
            },
        },
    ),
    (
        "stateful_set",
        f"{APPS}/statefulsets",
        named(
            "ss",
            spec={"selector": {"matchLabels": {"app": "web"}}, "template": deployment()["spec"]["template"]},
        ),
        {
            "metadata": {"generation": 1},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "containers": [
                            {
                                "name": "app",
                                "image": "registry.example/app:1",
                                "resources": {},
                                "terminationMessagePath": "/dev/termination-log",
                                "terminationMessagePolicy": "File",
                                "imagePullPolicy": "IfNotPresent",
                            }
                        ],
                        "restartPolicy": "Always",
                        "terminationGracePeriodSeconds": 30,
                        "dnsPolicy": "ClusterFirst",
                        "securityContext": {},
                        "schedulerName": "default-scheduler",
                    },
                },
                "serviceName": "",
                "podManagementPolicy": "OrderedReady",
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "revisionHistoryLimit": 10,
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            },
        },
    ),
    (
        "daemon_set",
        f"{APPS}/daemonsets",
        named(
            "ds",
            spec={"selector": {"matchLabels": {"app": "web"}}, "template": deployment()["spec"]["template"]},
        ),
        {
            "metadata": {"generation": 1},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "containers": [
                            {
                                "name": "app",
                                "image": "registry.example/app:1",
                                "resources": {},
                                "terminationMessagePath": "/dev/termination-log",
                                "terminationMessagePolicy": "File",
                                "imagePullPolicy": "IfNotPresent",
                            }
                        ],
                        "restartPolicy": "Always",
                        "terminationGracePeriodSeconds": 30,
                        "dnsPolicy": "ClusterFirst",
                        "securityContext": {},
                        "schedulerName": "default-scheduler",
                    },
                },
                "updateStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
                },
                "revisionHistoryLimit": 10,
            },
        },
    ),
    (
        "pod",
        PODS,
        pod(),
        {
            "metadata": {"generation": 1, "labels": {"app": "p"}},
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "image": "registry.example/app:1",
                        "resources": {},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                        "imagePullPolicy": "IfNotPresent",
                    }
                ],
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                "serviceAccountName": "default",
                "serviceAccount": "default",
                "securityContext": {},
                "schedulerName": "default-scheduler",
                "tolerations": [
                    {
                        "key": "node.kubernetes.io/not-ready",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 300,
                    },
                    {
                        "key": "node.kubernetes.io/unreachable",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 300,
                    },
                ],
                "priority": 0,
                "enableServiceLinks": True,
                "preemptionPolicy": "PreemptLowerPriority",
            },
        },
    ),
    (
        "job",
        f"{BATCH}/jobs",
        job(),
        {
            "metadata": {
                "generation": 1,
                "labels": {
                    "batch.kubernetes.io/controller-uid": "UID",
                    "batch.kubernetes.io/job-name": "once",
                    "controller-uid": "UID",
                    "job-name": "once",
                },
            },
            "spec": {
                "parallelism": 1,
                "completions": 1,
                "backoffLimit": 6,
                "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "UID"}},
                "manualSelector": False,
                "template": {
                    "metadata": {
                        "labels": {
                            "batch.kubernetes.io/controller-uid": "UID",
                            "batch.kubernetes.io/job-name": "once",
                            "controller-uid": "UID",
                            "job-name": "once",
                        }
                    },
                    "spec": {
                        "containers": [
                            {
                                "name": "app",
                                "image": "registry.example/app:1",
                                "resources": {},
                                "terminationMessagePath": "/dev/termination-log",
                                "terminationMessagePolicy": "File",
                                "imagePullPolicy": "IfNotPresent",
                            }
                        ],
                        "restartPolicy": "Never",
                        "terminationGracePeriodSeconds": 30,
                        "dnsPolicy": "ClusterFirst",
                        "securityContext": {},
                        "schedulerName": "default-scheduler",
                    },
                },
                "completionMode": "NonIndexed",
                "suspend": False,
                "podReplacementPolicy": "TerminatingOrFailed",
            },
        },
    ),
    (
        "cron_job",
        f"{BATCH}/cronjobs",
        named("cj", spec={"schedule": "* * * * *", "jobTemplate": {"spec": job()["spec"]}}),
        {
            "metadata": {"generation": 1},
            "spec": {
                "schedule": "* * * * *",
                "concurrencyPolicy": "Allow",
                "suspend": False,
                "jobTemplate": {
                    "spec": {
                        "template": {
                            "spec": {
                                "containers": [
                                    {
                                        "name": "app",
                                        "image": "registry.example/app:1",
                                        "resources": {},
                                        "terminationMessagePath": "/dev/termination-log",
                                        "terminationMessagePolicy": "File",
                                        "imagePullPolicy": "IfNotPresent",
                                    }
                                ],
                                "restartPolicy": "Never",
                                "terminationGracePeriodSeconds": 30,
                                "dnsPolicy": "ClusterFirst",
                                "securityContext": {},
                                "schedulerName": "default-scheduler",
                            },
                        }
                    },
                },
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
            },
        },
    ),
)


@pytest.mark.parametrize(
    ("path", "body", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_a_workload_is_completed(server: Server, path: str, body: Obj, expected: Obj) -> None:
    answer = await server.ask(f"POST {path}", body)
    assert answer.code == 201, answer.body
    assert shown(answer.masked) == expected


async def test_a_daemon_set_counts_its_templates_in_an_annotation(server: Server) -> None:
    template = deployment()["spec"]["template"]
    selector = {"matchLabels": {"app": "web"}}
    made = await server.made(
        f"{APPS}/daemonsets", named("ds", spec={"selector": selector, "template": template})
    )
    assert made["metadata"].get("annotations") == server.differing("template-generation")

"""Values with which the chart is tried: the least, for use, and everything switched on."""

from typing import Any

Values = dict[str, Any]

TRY: Values = {"image": {"repository": "registry.example.com/eks-aiops"}}
HA: Values = {
    **TRY,
    "auth": {"issuer": "https://login.example.com/realm", "publicUrl": "https://aiops.example.com/mcp"},
}
EVERYTHING: Values = {
    **HA,
    "image": {**TRY["image"], "digest": f"sha256:{'0' * 64}", "pullSecrets": ["pull"]},
    "mode": "servers",
    "settings": {"AIOPS_WRITE": "true", "AIOPS_SENSITIVE_READS": "true"},
    "secretFiles": {"AIOPS_SOP_TOKEN_FILE": {"secret": "aiops-sop", "key": "token"}},
    "serviceAccount": {"roleArn": "arn:aws:iam::111122223333:role/aiops"},
    "rbac": {
        "sensitive": True,
        "plan": True,
        "execute": True,
        "impersonate": {"users": ["aiops:anna"], "groups": ["aiops:sre"]},
    },
    "forwarder": {"enabled": True, "replicas": 2},
    "ingress": {"enabled": True, "className": "alb", "host": "aiops.example.com", "tlsSecret": "tls"},
    "httpRoute": {
        "enabled": True,
        "parentRefs": [{"name": "gateway", "namespace": "ingress"}],
        "hostnames": ["aiops.example.com"],
    },
    "serviceMonitor": {"enabled": True, "tokenSecret": "scrape"},
    "networkPolicy": {
        "egress": [
            {
                "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
                "ports": [{"port": 9090}],
            }
        ]
    },
}

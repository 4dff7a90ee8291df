"""What every namespace has from its first moment: a ServiceAccount `default` and the cluster's CA."""

from aiops_lab.world.cluster import Controller
from aiops_lab.world.objects import Key, being_deleted

# Not a certificate of anything: the simulator's own CA is in the kubeconfig, this one only has to be there.
CA = "-----BEGIN CERTIFICATE-----\nbGFiIGNlcnRpZmljYXRlIG9mIG5vdGhpbmc=\n-----END CERTIFICATE-----\n"


class Namespaces(Controller):
    """Gives a namespace what the real controllers give it."""

    kind = "Namespace"

    def reconcile(self, key: Key) -> None:
        """Create what is missing."""
        found = self.cluster.cache.get("Namespace", *key)
        if found is None or being_deleted(found):
            return
        name = key[1]
        head = {"namespace": name}
        if self.cluster.cache.get("ServiceAccount", name, "default") is None:
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {**head, "name": "default"},
            }
            self.cluster.store.create(account, manager="kube-controller-manager")
        if self.cluster.cache.get("ConfigMap", name, "kube-root-ca.crt") is None:
            note = "Contains a CA bundle that can be used to verify the kube-apiserver"
            bundle = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    **head,
                    "name": "kube-root-ca.crt",
                    "annotations": {"kubernetes.io/description": note},
                },
                "data": {"ca.crt": CA},
            }
            self.cluster.store.create(bundle, manager="kube-controller-manager")

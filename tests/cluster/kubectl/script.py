"""The commands, in their order: what an operator does in a day, each a step with a name.

`stage.py` runs them on both clusters, `test_same_words.py` compares what was said. Later steps stand on the
objects that earlier ones made; a step that only waits for both clusters to come to rest is a step as well.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One command line after `kubectl`; files are those of `manifests/`."""

    name: str
    words: str
    unordered: bool = False  # lines whose order nobody promises: events, and what kubectl walks as a Go map
    stdin: str = ""


def _steps(text: str) -> tuple[Step, ...]:
    """One step per line: name, a colon, the command; `~` before the name means lines in any order."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, words = line.partition(": ")
        found.append(Step(name.removeprefix("~"), words, unordered=name.startswith("~")))
    return tuple(found)


_MAKE = """
create-namespace: create namespace walk
create-namespace-again: create namespace walk
label-namespace: label namespace walk team=walkers
get-namespace: get namespace walk --show-labels
create-configmap: create configmap settings --from-literal=greeting=hello --from-literal=size=2
create-secret: create secret generic credentials --from-literal=password=not-a-real-password
create-serviceaccount: create serviceaccount robot
create-quota: create quota most --hard=pods=40,services=9
create-role: create role reader --verb=get,list --resource=pods,pods/log
create-rolebinding: create rolebinding robot-reads --role=reader --serviceaccount=walk:robot
apply: apply -f web.yaml
apply-again: apply -f web.yaml
apply-unknown-field: apply -f typo.yaml
apply-unknown-field-unchecked: apply -f typo.yaml --validate=false
apply-invalid: apply -f wrong.yaml
apply-many: apply -f ring.yaml -f agent.yaml -f nightly.yaml -f claim.yaml -f budget.yaml
rollout-status: rollout status deployment/web --timeout=20s
rollout-status-statefulset: rollout status statefulset/ring --timeout=20s
rollout-status-daemonset: rollout status daemonset/agent --timeout=20s
wait-condition: wait --for=condition=Available deployment/web --timeout=20s
wait-pods: wait --for=condition=Ready pod -l app=web --timeout=20s
wait-jsonpath: wait --for=jsonpath={.status.readyReplicas}=2 deployment/web --timeout=20s
wait-in-vain: wait --for=condition=Complete deployment/web --timeout=1s
create-deployment: create deployment plain --image=registry.example/walk/web:1 --replicas=1 --port=8080
place-deployment: patch deployment plain -p '{"spec":{"template":{"spec":{"nodeSelector":{"pool":"walk"}}}}}'
run-dry: run shell --image=registry.example/walk/web:1 --dry-run=client -o yaml
run-dry-server: run shell --image=registry.example/walk/web:1 --dry-run=server
create-job: create job once --from=cronjob/nightly
create-token: create token robot --duration=1h
"""
_READ = """
rollout-status-plain: rollout status deployment/plain --timeout=20s
wait-job: wait --for=condition=Complete job/once --timeout=20s
get: get deployments,services,statefulsets,daemonsets
get-all: get all -l app!=plain
get-wide: get deployments,services,statefulsets,daemonsets -o wide
get-pods: get pods -l app=web
get-pods-wide: get pods -l app=web -o wide
get-pods-labels: get pods -l app=web --show-labels
get-pods-label-columns: get pods -l app=web -L tier
get-selected: get pods -l app!=web,app
get-set-based: get pods -l 'app in (ring,web)' --no-headers
get-field-selector: get pods --field-selector=status.phase=Running,metadata.namespace=walk -l app=ring
get-field-selector-unknown: get pods --field-selector=spec.colour=blue
get-sorted: get pods -l app=ring --sort-by=.metadata.name
get-everywhere: get configmaps -A --field-selector=metadata.name=settings
get-chunked: get pods -l app=web --chunk-size=1
get-name: get all -l app=ring -o name
get-json: get configmap settings -o json
get-yaml: get deployment web -o yaml
get-yaml-pod: get pod ring-0 -o yaml
get-yaml-service: get service web -o yaml
get-jsonpath: get deployment web -o jsonpath={.spec.template.spec.containers[*].image}
get-custom-columns: get pods -l app=web -o custom-columns=NAME:.metadata.name,PHASE:.status.phase
get-go-template: get deployment web -o go-template={{.spec.replicas}}
get-missing: get pod nobody
get-missing-ignored: get pod nobody --ignore-not-found
get-unknown-kind: get gadgets
get-nothing: get pods -l app=nobody
get-raw: get --raw /api/v1/namespaces/walk/configmaps/settings
get-watch: get deployment web --watch --request-timeout=2s
get-watch-only: get pods -l app=ring --watch-only --request-timeout=2s
get-storage: get pvc,cm,secret,sa,quota,pdb
get-storage-wide: get pvc,pdb,cj,job,endpointslices -o wide
get-roles: get roles,rolebindings -o wide
get-nodes: get nodes -l pool=walk
get-nodes-wide: get nodes -l pool=walk -o wide
get-replicasets: get replicasets -l app=web -o wide
get-endpoints: get endpoints web
get-events: get events --field-selector involvedObject.kind=Deployment,involvedObject.name=web
~events-for: events --for deployment/web
~events-types: events --types=Warning
describe-pod: describe pod -l app=web --chunk-size=1 --show-events=false
~describe-pod-events: describe pod ring-0
describe-deployment: describe deployment web
describe-replicaset: describe replicaset -l app=web --show-events=false
~describe-statefulset: describe statefulset ring
describe-daemonset: describe daemonset agent --show-events=false
describe-service: describe service web
describe-node: describe node walk-d --show-events=false
describe-pvc: describe pvc data
~describe-configmap: describe configmap settings
describe-secret: describe secret credentials
describe-namespace: describe namespace walk
describe-serviceaccount: describe serviceaccount robot
describe-cronjob: describe cronjob nightly
describe-job: describe job once --show-events=false
describe-quota: describe quota most
describe-role: describe role reader
describe-budget: describe pdb web
describe-missing: describe pod nobody
logs: logs ring-0
logs-container: logs deployment/web -c sidecar
logs-default-container: logs deployment/web
logs-tail: logs ring-0 --tail=1
logs-since: logs ring-0 --since=1h
~logs-selected: logs -l app=web --prefix --all-containers --tail=1
logs-timestamps: logs ring-0 --timestamps --tail=2
logs-limit: logs ring-0 --limit-bytes=5
logs-wrong-container: logs ring-0 -c nobody
logs-previous: logs ring-0 --previous
logs-missing: logs nobody
top-pods: top pods -l app=web
top-nodes: top nodes -l pool=walk
explain: explain deployment.spec.replicas
explain-recursive: explain configmap --recursive
api-resources: api-resources --api-group=apps
api-resources-core: api-resources --api-group= --namespaced=true -o name
api-versions: api-versions
cluster-info: cluster-info
version: version
auth-can-i: auth can-i delete pods
auth-can-i-list: auth can-i --list --as=system:serviceaccount:walk:robot
auth-can-i-as: auth can-i delete pods --as=system:serviceaccount:walk:robot
auth-can-i-log: auth can-i get pods/log --as=system:serviceaccount:walk:robot
auth-whoami: auth whoami
"""
_CHANGE = """
diff-nothing: diff -f owned.yaml
apply-server-side: apply --server-side --field-manager=first -f owned.yaml
apply-server-side-conflict: apply --server-side --field-manager=second -f owned-red.yaml
apply-server-side-forced: apply --server-side --field-manager=second --force-conflicts -f owned-red.yaml
get-managed-fields: get configmap owned -o yaml --show-managed-fields
apply-server-side-dry: apply --server-side --dry-run=server -f owned.yaml --force-conflicts
diff: diff -f web-fancy.yaml
diff-server-side: diff --server-side -f settings-v2.yaml --force-conflicts
apply-changed: apply -f web-fancy.yaml
rollout-status-changed: rollout status deployment/web --timeout=20s
rollout-history: rollout history deployment/web
rollout-history-revision: rollout history deployment/web --revision=2
set-image: set image deployment/web app=registry.example/walk/web:2
set-image-missing: set image deployment/web nobody=registry.example/walk/web:2
rollout-status-image: rollout status deployment/web --timeout=20s
rollout-undo: rollout undo deployment/web
rollout-status-undone: rollout status deployment/web --timeout=20s
rollout-undo-missing: rollout undo deployment/web --to-revision=99
set-env: set env deployment/web -c app MODE=plain
set-env-list: set env deployment/web --list
rollout-status-env: rollout status deployment/web --timeout=20s
set-resources: set resources deployment/plain --limits=memory=200Mi --requests=memory=100Mi
rollout-pause: rollout pause deployment/plain
rollout-pause-again: rollout pause deployment/plain
rollout-restart-paused: rollout restart deployment/plain
rollout-resume: rollout resume deployment/plain
rollout-restart: rollout restart statefulset/ring
rollout-status-restart: rollout status statefulset/ring --timeout=20s
scale: scale deployment/plain --replicas=3
scale-wrong-current: scale deployment/plain --replicas=1 --current-replicas=9
scale-missing: scale deployment/nobody --replicas=1
autoscale: autoscale deployment/web --min=2 --max=4 --cpu-percent=80
get-autoscaler: get hpa web -o jsonpath={.spec.minReplicas}-{.spec.maxReplicas}
delete-autoscaler: delete hpa web
expose: expose deployment plain --port=80 --target-port=8080
expose-again: expose deployment plain --port=80 --target-port=8080
label: label deployment web stage=test
label-twice: label deployment web stage=live
label-overwrite: label deployment web stage=live --overwrite
label-remove: label deployment web stage-
annotate: annotate deployment web note=seen
annotate-removed: annotate deployment web note-
patch-strategic: patch deployment web --patch-file sidecar.yaml
patch-merge: patch configmap settings --type=merge -p '{"data":{"size":null,"extra":"yes"}}'
patch-json: patch configmap settings --type=json -p '[{"op":"replace","path":"/data/extra","value":"no"}]'
patch-json-refused: patch configmap settings --type=json -p '[{"op":"test","path":"/data/extra","value":"x"}]'
patch-nothing: patch configmap settings --type=merge -p '{"data":{"extra":"no"}}'
patch-invalid: patch deployment web -p '{"spec":{"replicas":-1}}'
patch-immutable: patch deployment web --type=merge -p '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}'
get-patched: get configmap settings -o jsonpath={.data}
rollout-status-patched: rollout status deployment/web --timeout=20s
replace: replace -f settings-v2.yaml
replace-missing: replace -f typo.yaml --validate=false -n nowhere
get-replaced: get configmap settings -o yaml
taint: taint node walk-c dedicated=walk:NoSchedule
taint-again: taint node walk-c dedicated=walk:NoSchedule
taint-removed: taint node walk-c dedicated-
cordon: cordon walk-a
cordon-again: cordon walk-a
get-cordoned: get node walk-a
~drain-dry: drain -l pool=walk --dry-run=server --ignore-daemonsets --pod-selector=app=web
drain-without-flag: drain walk-a --dry-run=server --pod-selector=app=agent
~drain-budget: drain -l pool=walk --ignore-daemonsets --pod-selector=app=web --timeout=3s
uncordon: uncordon -l pool=walk
delete-budget: delete -f budget.yaml
~drain: drain -l pool=walk --ignore-daemonsets --force --pod-selector=app=plain --timeout=20s
uncordon-rest: uncordon -l pool=walk
delete-dry: delete deployment plain --dry-run=server
delete-pod-now: delete pod ring-1 --grace-period=0 --force
delete-orphans: delete deployment plain --cascade=orphan
get-orphans: get pods,replicasets -l app=plain -o name
delete-selected: delete pods,replicasets -l app=plain --wait=true --timeout=20s
wait-delete: wait --for=delete pod -l app=plain --timeout=20s
delete-wait: delete -f nightly.yaml --wait --cascade=foreground --timeout=20s
delete-missing: delete configmap nobody
delete-missing-ignored: delete configmap nobody --ignore-not-found
delete-many: delete -f ring.yaml -f agent.yaml --timeout=20s
get-after: get statefulsets,daemonsets,cronjobs,jobs
delete-namespace: delete namespace walk --timeout=20s
get-namespace-gone: get namespace walk
"""
SCRIPT: tuple[Step, ...] = _steps(_MAKE) + _steps(_READ) + _steps(_CHANGE)

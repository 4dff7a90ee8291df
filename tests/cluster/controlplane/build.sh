#!/usr/bin/env bash
# Builds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok from the Go modules that go.mod
# pins, into the folder given (envtest's layout: what KUBEBUILDER_ASSETS names). Done once: the folder carries a stamp
# made of go.mod and go.sum, and a second call with the same pins returns at once.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:?usage: build.sh FOLDER}
mkdir -p "$out"
out=$(cd "$out" && pwd)
stamp=$(cat go.mod go.sum build.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat "$out/.built" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
command -v go >/dev/null || { echo "building the control plane needs Go 1.24 or newer on PATH" >&2; exit 3; }

version=$(GOWORK=off go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
# What Kubernetes' own hack/lib/version.sh stamps; without it the server calls itself v0.0.0-master.
kube="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  kube+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
done
build() {  # NAME PACKAGE: one program, its time said because the first build takes minutes
  local start=$SECONDS
  CGO_ENABLED=0 GOWORK=off GOTOOLCHAIN=local go build -mod=readonly -trimpath -ldflags "$kube" -o "$out/$1.new" "$2"
  mv "$out/$1.new" "$out/$1"
  echo "built $1 in $((SECONDS - start)) s"
}
echo "building a Kubernetes $version control plane (once) ..."
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kubectl k8s.io/kubernetes/cmd/kubectl
build kwok sigs.k8s.io/kwok/cmd/kwok
echo "$stamp" > "$out/.built"

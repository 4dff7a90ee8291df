#!/usr/bin/env bash
# Builds `chartrender` (main.go) from Helm's published modules, which go.mod and go.sum pin, into the file given. In a
# copy of Helm two things are changed: what asks a cluster (`lookup`) and how the list of API versions is made. So
# client-go with every Kubernetes type, minutes of compiling, is left out; loading, values, schema and templates are
# Helm's own.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:?usage: build.sh FILE}
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
stamp=$(cat go.mod go.sum build.sh main.go lookup_func.go.txt stub/rest/rest.go | sha256sum | cut -d' ' -f1)
if [ "$(cat "$out.built" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
command -v go >/dev/null || { echo "rendering the chart needs Go 1.24 or newer on PATH" >&2; exit 3; }
export CGO_ENABLED=0 GOWORK=off GOTOOLCHAIN=local
go mod download helm.sh/helm/v3
helm=$(go list -mod=readonly -m -f '{{.Dir}}' helm.sh/helm/v3)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$helm" "$work/helm"
chmod -R u+w "$work/helm"
cp lookup_func.go.txt "$work/helm/pkg/engine/lookup_func.go"
awk '
  /^\t.*(k8s.io\/client-go|apiextensions)/ {next}
  /^\tgroups := scheme/ {print "\treturn VersionSet{\"v1\", \"apps/v1\", \"autoscaling/v2\", \"policy/v1\", \"networking.k8s.io/v1\"}"; skip = 1}
  skip && /^}/ {skip = 0}
  !skip {print}
' "$helm/pkg/chartutil/capabilities.go" > "$work/helm/pkg/chartutil/capabilities.go"
cp go.mod "$work/go.mod"
cp go.sum "$work/go.sum"
go mod edit -replace "helm.sh/helm/v3=$work/helm" -replace "k8s.io/client-go=$PWD/stub" "$work/go.mod"
go build -mod="${RESOLVE:-readonly}" -modfile "$work/go.mod" -trimpath -ldflags "-s -w" -o "$out.new" .
if [ -n "${RESOLVE:-}" ]; then
  cp "$work/go.sum" go.sum
  cp "$work/go.mod" go.mod
  go mod edit -dropreplace helm.sh/helm/v3 -replace k8s.io/client-go=./stub go.mod
  stamp=$(cat go.mod go.sum build.sh main.go lookup_func.go.txt stub/rest/rest.go | sha256sum | cut -d' ' -f1)
fi
mv "$out.new" "$out"
echo "$stamp" > "$out.built"

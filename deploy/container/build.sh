#!/bin/sh
# Installs the suite into the folder given, from the root of a checkout: the versions and hashes of the lock,
# no build tool left. The Dockerfile calls it; tests/launch runs the same steps without an engine.
set -eu
into=${1:?usage: build.sh FOLDER}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
if command -v uv >/dev/null; then
  uv=uv
else
  python3 -m venv "$tools/uv"
  "$tools/uv/bin/pip" install --quiet --require-hashes -r .ci/bootstrap.lock
  uv=$tools/uv/bin/uv
fi
# Building the wheel needs hatchling: of the lock as well.
"$uv" venv --quiet --python python3 "$tools/build"
"$uv" pip install --quiet --python "$tools/build" --constraint .ci/requirements.lock hatchling
"$uv" build --quiet --wheel --no-build-isolation --python "$tools/build/bin/python" --out-dir "$tools/dist" .
"$uv" venv --quiet --python python3 --no-project "$into"
# Hashes that constraints carry are verified for whatever is installed; only our own wheel, just built, has none.
"$uv" pip install --quiet --python "$into" --only-binary :all: \
  --constraint .ci/requirements.lock "$tools"/dist/*.whl

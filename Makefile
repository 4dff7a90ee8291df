# Each target sets up what it needs. `make demo` and `make test` are the two commands of the README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
SEEDS ?= 5
CONTROL_PLANE := $(or $(KUBEBUILDER_ASSETS),$(CURDIR)/.cache/controlplane)

.PHONY: help setup demo test lint types walls docs docs-check transcripts lock bench bench-http cluster-test control-plane chart-renderer client-packages conformance eval faults fuzz proofs proof sbom audit release clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(STAMP)  ## Make .venv with everything that the lock names

$(STAMP): .ci/requirements.lock pyproject.toml
	@echo "setting up $(VENV) ..."
	@start=$$(date +%s); \
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)' && \
	$(PYTHON) -m venv $(VENV) && \
	$(BIN)/python -m pip install --quiet --require-hashes -r .ci/bootstrap.lock && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r .ci/requirements.lock && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . && \
	touch $(STAMP) && \
	echo "set up in $$(( $$(date +%s) - start )) s"

demo: setup  ## Play the first job on a simulated cluster and show it
	$(BIN)/eks-aiops demo

test: setup  ## Run every test
	$(BIN)/python -m pytest -q -n 3 --dist loadfile

cluster-test: setup control-plane  ## Hold simulator and product to a real Kubernetes control plane
	KUBEBUILDER_ASSETS="$(CONTROL_PLANE)" $(BIN)/python -m pytest -q tests/cluster

control-plane:  ## Build etcd, kube-apiserver and their kin from Go modules, once (KUBEBUILDER_ASSETS overrides)
	@if [ -z "$$KUBEBUILDER_ASSETS" ] && command -v go >/dev/null; then tests/cluster/controlplane/build.sh "$(CONTROL_PLANE)"; fi

chart-renderer:  ## Build Helm's engine from Go modules, once, for the tests of the chart
	@if command -v go >/dev/null; then tests/launch/helm/build.sh "$(CURDIR)/.cache/helm/chartrender"; fi

client-packages: setup  ## Install the real clients and the conformance suite that tests run, once
	$(BIN)/python -m tests.clients.packages

conformance: setup client-packages  ## Let the official suite judge all five endpoints over HTTP
	$(BIN)/python -m tests.clients.conformance

lint: setup  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## mypy, strict, on sources and tests
	$(BIN)/mypy
	$(BIN)/mypy tests bench evals faults fuzz proofs

walls: setup  ## import-linter: which room may know which
	$(BIN)/lint-imports

docs: setup  ## Write the generated pages and build the site (site/); a warning fails it
	$(BIN)/python -m eks_aiops.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m tests.docs.site

docs-check: setup  ## Fail when a generated page is stale or the site does not build
	$(BIN)/python -m eks_aiops.docs --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m tests.docs.site

transcripts: setup  ## Play the stories of docs/servers on the lab and write what was said
	$(BIN)/python -m tests.docs.transcripts

lock: setup  ## Resolve the lock anew, with hashes and without addresses
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		-o .ci/requirements.lock
	awk '/^uv==/ {keep = 1} keep {print; if ($$0 !~ /\\$$/) exit}' .ci/requirements.lock > .ci/bootstrap.lock

bench: setup  ## Measure everything, beside the other servers of the field; writes bench/data and the pages (45 minutes)
	$(BIN)/python -m bench --write

bench-http: setup  ## Measure the servers over HTTP under load, beside peers; writes docs/benchmarks-http.md
	$(BIN)/python -m bench.http_load --write

eval: setup control-plane  ## Count how good the judgements are: causes, anomalies, bills, stories by pattern, routing (SEEDS=5)
	KUBEBUILDER_ASSETS="$(CONTROL_PLANE)" $(BIN)/python -m evals --seeds $(SEEDS) --write
	$(BIN)/python -m evals.observability --write
	$(BIN)/python -m evals.cost --write
	$(BIN)/python -m evals.sop --write
	$(BIN)/python -m evals.patterns --seeds $(SEEDS) --write
	$(BIN)/python -m evals.routing --write

faults: setup  ## Kill runs at every point on SQLite and PostgreSQL, count effects; writes docs/faults.md
	$(BIN)/python -m faults

fuzz: setup  ## Call every tool with wrong and hostile arguments, over stdio and HTTP; fuzz the parsers; writes docs/fuzzing.md
	$(BIN)/python -m fuzz

proofs: setup control-plane  ## Take each control away and see its test fail; writes docs/proofs.md
	KUBEBUILDER_ASSETS="$(CONTROL_PLANE)" $(BIN)/python -m proofs

proof: bench eval fuzz faults proofs  ## All of the above that measures, one after the other, then docs/targets.md (hours)
	$(BIN)/python -m proofs.targets --write

sbom: setup  ## Write dist/eks-aiops.cdx.json: what a release is made of (CycloneDX)
	$(BIN)/python -m eks_aiops.sbom

audit: setup  ## Look up known vulnerabilities of everything that the lock names
	$(BIN)/python -m eks_aiops.dependency_audit

release: setup  ## Build, sum and (KEY=file) sign everything that is published, into dist/release
	rm -rf dist/release
	$(BIN)/python -m eks_aiops.releasing dist/release $(if $(KEY),--key $(KEY))

clean:  ## Remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

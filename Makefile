# The two commands: make run, make test. They need Go and nothing else; the
# targets below "more than Go" install what they need.

GO       ?= go
PYTHON   ?= python3
FUZZTIME ?= 5s
PLUGINS  := $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
NODES    := $(patsubst nodes/%/node.toml,%,$(wildcard nodes/*/node.toml))
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Everything that goes into a guest: a change rebuilds all plugins.
GUEST    := $(shell find sdk/go sdk/abi sdk/dense sdk/stats plugins/internal -name '*.go' -not -name '*_test.go' 2>/dev/null) go.mod go.sum

.PHONY: run build plugins nodes test race vet fuzz crash test-python test-llamacpp venv bench bench-full bench-stats r test-r clean help FORCE

run: build ## build, then run the study in small (pipeline.toml)
	bin/flow run pipeline.toml

build: plugins nodes ## bin/flow with its plugins embedded, and bin/nodes
	CGO_ENABLED=0 $(GO) build -ldflags '-s -w -X main.version=$(VERSION)' -o bin/flow ./cmd/flow

plugins: $(PLUGINS:%=plugins/dist/%.wasm)

# -trimpath and -buildvcs=false keep a program's bytes, and so every key of
# the cache, the same wherever and from whichever commit it is built.
.SECONDEXPANSION:
plugins/dist/%.wasm: $$(wildcard plugins/%/*.go) $(GUEST)
	GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -buildvcs=false -buildmode=c-shared -o $@ ./plugins/$*

nodes: $(NODES:%=bin/nodes/%)

bin/nodes/%: FORCE
	@mkdir -p $@
	@cp nodes/$*/node.toml $@/node.toml
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o $@/$* ./nodes/$*

FORCE:

test: build ## all tests
	$(GO) test -timeout 20m ./...

race: build ## tests of all that is concurrent, under the race detector
	$(GO) test -race -short -timeout 20m ./engine/... ./sdk/... ./nodes/...

vet: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt-clean:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

# Minimizing what a fuzzer finds interesting would take most of a short run.
fuzz: ## every fuzz target for FUZZTIME (5s)
	@set -e; for dir in $$(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' $$dir/*_test.go | sed 's/func //'); do \
			echo "fuzz $$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$dir; \
		done; done

crash: build ## kill a run at 200 random moments, and compare
	FLOW_KILLS=$(or $(KILLS),200) $(GO) test -timeout 60m -run 'TestCrash' -v ./cmd/flow

bench: build ## each figure beside its peer or limit (engine/bench says how to read it)
	$(GO) run ./engine/bench

bench-full: build ## the same, and the repository's own pipeline, cold and cached
	BENCH_FULL=1 $(GO) run ./engine/bench

bench-stats: build ## the statistics beside lme4, lmerTest, pbkrtest and psych, where R has them
	RSCRIPT=$(RSCRIPT) $(GO) run ./engine/bench -suite stats

# --- more than Go

VENV := .venv
venv: $(VENV)/done ## Python with PyTorch and the rest, from PyPI
$(VENV)/done: pipelines/relationship-seeking/model/requirements.txt Makefile
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r pipelines/relationship-seeking/model/requirements.txt \
		grpcio grpcio-tools grpcio-health-checking cryptography pyarrow polars duckdb
	touch $@

test-python: build venv ## the model's references by PyTorch, a native node in Python, other readers of our Arrow files
	PYTHONDONTWRITEBYTECODE=1 $(VENV)/bin/python -m pytest -q -p no:cacheprovider pipelines/relationship-seeking/model/test_reference.py
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(GO) test -count=1 -v -run 'TestPythonNode' ./engine/internal/node/native | tee $(VENV)/native.log
	@! grep -q -- '--- SKIP' $(VENV)/native.log
	FLOW_PYTHON="$(CURDIR)/$(VENV)/bin/python" $(GO) test -count=1 -v -run 'TestOtherLibrariesRead' ./engine/internal/table/ipc | tee $(VENV)/ipc.log
	@! grep -q -- '--- SKIP' $(VENV)/ipc.log

# llama.cpp's source comes with a package of PyPI. Its build takes ten minutes
# of two cores, so CI leaves it out; it is for changes of the export.
LLAMACPP_SDIST := llama_cpp_python-0.3.36
LLAMACPP       := $(VENV)/llamacpp
test-llamacpp: build venv ## the exported GGUF vector, loaded and applied by llama.cpp itself (builds it)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check gguf cmake ninja
	test -d $(LLAMACPP)/$(LLAMACPP_SDIST) || { $(VENV)/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python -d $(LLAMACPP) llama-cpp-python==$(LLAMACPP_SDIST:llama_cpp_python-%=%) && \
		tar -C $(LLAMACPP) -xzf $(LLAMACPP)/$(LLAMACPP_SDIST).tar.gz; }
	$(VENV)/bin/cmake -G Ninja -S nodes/steer/llamacpp -B $(LLAMACPP)/build -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(VENV)/bin/ninja -DCMAKE_BUILD_TYPE=Release -DLLAMA_CPP=$(CURDIR)/$(LLAMACPP)/$(LLAMACPP_SDIST)/vendor/llama.cpp
	$(VENV)/bin/ninja -C $(LLAMACPP)/build score
	$(VENV)/bin/python -B nodes/steer/llamacpp/check.py --flow bin/flow --score $(LLAMACPP)/build/score --work $(LLAMACPP)/work

# R_PACKAGES are Debian's; they bring R itself.
R_PACKAGES := r-base-core $(addprefix r-cran-,lme4 lmertest emmeans psych pbkrtest sandwich lmtest polycor gparotation jsonlite survival)
RSCRIPT    ?= Rscript
R_MISSING   = n <- c("lme4","lmerTest","emmeans","psych","pbkrtest","sandwich","lmtest","polycor","GPArotation","jsonlite","survival"); n <- n[!sapply(n, requireNamespace, quietly = TRUE)]; if (length(n)) { cat("missing in R:", n, "\n"); quit(status = 1) }

r: ## R with the packages that the references come from, from Debian
	@if $(RSCRIPT) --vanilla -e '$(R_MISSING)' 2>/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as="sudo -n"; else as=no; fi; \
	if [ "$$as" = no ] || ! command -v apt-get >/dev/null; then \
		echo "R, or some of its packages, are missing, and may not be installed from here. As root on Debian or Ubuntu:" >&2; \
		echo "  apt-get install $(R_PACKAGES)" >&2; exit 1; fi; \
	$$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(R_PACKAGES) >/dev/null && \
	$(RSCRIPT) --vanilla -e '$(R_MISSING)'

test-r: r ## the references of the statistics, by R again and compared with those kept
	FLOW_RSCRIPT=$(RSCRIPT) $(GO) test -count=1 -v -parallel 2 -run 'TestReferencesFromR' ./sdk/stats

clean: ## remove what was built and run here
	rm -rf bin out .flow $(VENV) plugins/dist/*.wasm

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

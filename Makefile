# Go as new as go.mod wants, fetched if need be: see .ci/go.
GO := .ci/go
PKGS ?= ./...
# More flags for go test: make test TESTFLAGS=-v
TESTFLAGS ?=
FUZZTIME ?= 10s
# Servers for `make interop`, beside the machine's own.
PG ?= 13 17 18
# Versions whose own regression database `make interop` makes and uses.
REGRESS ?= 15 17 18
# How often `make interop` restores each of them, one after another.
RESTORES ?= 50
# Asked for when the build runs: before that, git itself may not be there.
VERSION ?= $$(git describe --tags --always --dirty 2>/dev/null)

# Go's own ten minutes are short for one package on a small, busy machine.
GOTEST = $(GO) test -timeout 75m $(TESTFLAGS)

.DEFAULT_GOAL := help
.PHONY: help
help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/odx, installing Go if it is missing
	@.ci/setup build
	$(GO) build -buildvcs=false -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/odx ./cmd/odx

PREFIX ?= /usr/local

.PHONY: install
install: build ## build odx and install it in PREFIX/bin (/usr/local/bin)
	install -D -m 755 bin/odx "$(DESTDIR)$(PREFIX)/bin/odx"

.PHONY: demo
demo: build ## install what is missing, then dump and restore a made-up Odoo database and compare
	@.ci/setup demo
	bin/odx demo

# Servers and regression databases that `make interop` has fetched before are
# used as well.
.PHONY: test
test: ## install what is missing, then run every test
	@.ci/setup test
	ODX_TEST_PG="$${ODX_TEST_PG-$$(.ci/postgres --list | paste -sd:)}" \
	ODX_TEST_REGRESS="$${ODX_TEST_REGRESS-$$(.ci/regress --list | paste -sd:)}" $(GOTEST) $(PKGS)

.PHONY: race
race: ## run the tests with the race detector, without those that only take long
	@.ci/setup race
	CGO_ENABLED=1 $(GOTEST) -race -short $(PKGS)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@.ci/setup build
	.ci/fuzz $(FUZZTIME) $(PKGS)

# Every parser in earnest, in parts: an hour of each target is an hour of one
# worker, two targets at once, so all of them take most of a day.
# A run goes on with the targets that have had the least time by
# $(FUZZ_LOG)/log, ends after FUZZ_FOR, and prints the hours of each. The log is
# part of the project, so that runs on different machines add up. A part is
# FUZZ_PART long (60s); FUZZ_BEFORE is a command that may hold each of them up.
FUZZ_FOR ?= 90m
FUZZ_LOG ?= $(CURDIR)/docs/fuzz

.PHONY: fuzz-long
fuzz-long: ## go on for FUZZ_FOR with an hour of each fuzz target, and print the hours of each
	@.ci/setup build
	FUZZ_FOR=$(FUZZ_FOR) .ci/fuzz --log "$(FUZZ_LOG)" $(PKGS)

.PHONY: interop
interop: ## fetch PostgreSQL of the versions in PG and REGRESS and run the tests that use it
	@.ci/setup test
	servers=$$(for v in $(PG); do .ci/postgres $$v || exit 1; done | paste -sd:) && \
	regress=$$(for v in $(REGRESS); do .ci/regress $$v || echo "without PostgreSQL $$v's regression database" >&2; done | paste -sd:) && \
	ODX_TEST_PG="$$servers" ODX_TEST_REGRESS="$$regress" ODX_TEST_RESTORES=$(RESTORES) $(GOTEST) -timeout 2h -count=1 \
		./dumpfmt/... ./convert/... ./parallel/... ./cmd/... ./bench/...

# How many trials the campaign of faults makes in all, and from which seed; a
# run goes on after the trials that $(TORTURE_LOG) has, so it can be made in
# parts: TORTURE_FOR=5m ends one after that time. As root: it mounts file systems.
TORTURE_RUNS ?= 1000
TORTURE_SEED ?= 1
TORTURE_FOR ?=
TORTURE_LOG ?= $(CURDIR)/.cache/torture/seed-$(TORTURE_SEED).jsonl

.PHONY: torture
torture: ## dump, restore and convert under TORTURE_RUNS faults drawn from TORTURE_SEED
	@.ci/setup test
	mkdir -p "$(dir $(TORTURE_LOG))"
	ODX_TEST_TORTURE=$(TORTURE_RUNS) ODX_TEST_TORTURE_SEED=$(TORTURE_SEED) ODX_TEST_TORTURE_FOR=$(TORTURE_FOR) \
	ODX_TEST_TORTURE_LOG="$(TORTURE_LOG)" $(GOTEST) -timeout 6h -count=1 -v -run '^TestTorture$$' ./cmd/odx

# How long `make load` works on each server: the machine's own and those of PG.
LOAD_FOR ?= 10m

.PHONY: load
load: ## dump in a loop beside a write load, for LOAD_FOR on each server, and judge every dump
	@.ci/setup test
	servers=$$(for v in $(PG); do .ci/postgres $$v || exit 1; done | paste -sd:) && \
	ODX_TEST_PG="$$servers" ODX_TEST_LOAD_FOR=$(LOAD_FOR) $(GOTEST) -timeout 2h -count=1 -v -run '^TestDump_UnderLoad$$' ./cmd/odx

.PHONY: lint
lint: ## gofmt, vet, staticcheck, go.mod, import rules
	@.ci/setup build
	.ci/lint

.PHONY: vuln
vuln: ## look for known vulnerabilities in what odx calls
	@.ci/setup build
	.ci/vuln

# A program of its own, so that odx does not carry what draws its plots.
bin/odxbench: build
	$(GO) build -buildvcs=false -trimpath -o bin/odxbench ./cmd/odxbench

# Server and clients: a PostgreSQL whose clients know lz4 and zstd.
BENCH_PG ?= 17
BENCH_OUT ?= .cache/bench
BENCHFLAGS ?=
ODXBENCH = bin/odxbench run --pg-bin "$$(.ci/postgres $(BENCH_PG))"

.PHONY: bench
bench: bin/odxbench ## measure odx beside its peers on little data; results in .cache/bench
	@.ci/setup bench
	rm -rf $(BENCH_OUT)
	$(ODXBENCH) --out $(BENCH_OUT) --short --size 30 --size 60 --jobs 1 --jobs 2 --rounds 2 $(BENCHFLAGS)
	@cat $(BENCH_OUT)/results.md

# Takes up an earlier run that was ended, with the same odx and sizes:
# BENCHFLAGS='--for 10m' ends it after that time. docs/ is written at the end.
BENCH_SIZES ?= 60 120 240
BENCH_ROUNDS ?= 2
BENCH_FULL = .cache/bench-full

.PHONY: bench-full
bench-full: bin/odxbench ## the same at three sizes with all peers and profiles, an hour and more; writes docs/benchmarks.md
	@.ci/setup bench
	$(ODXBENCH) --out $(BENCH_FULL) $(addprefix --size ,$(BENCH_SIZES)) --rounds $(BENCH_ROUNDS) $(BENCHFLAGS)
	$(ODXBENCH) --out $(BENCH_FULL) --profile one-table --profile many-files --size $(firstword $(BENCH_SIZES)) --jobs 2 --rounds $(BENCH_ROUNDS) --short $(BENCHFLAGS)
	mkdir -p docs/bench
	cp $(BENCH_FULL)/results.json docs/bench
	bin/odxbench report --page docs/benchmarks.md docs/bench

.PHONY: guard
guard: bin/odxbench ## fail if odx has become slower beside fixed peers
	@.ci/setup bench
	bin/odxbench guard

.PHONY: microbench
microbench: ## run the Go benchmarks
	@.ci/setup test
	$(GOTEST) -run '^$$' -bench . -benchmem $(PKGS)

.PHONY: check
check: lint vuln fuzz race test ## everything to run before a commit is shared

.PHONY: clean
clean: ## remove what was built and Go's cached test results
	rm -rf bin .cache
	$(GO) clean -testcache

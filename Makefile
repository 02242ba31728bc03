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
GOTEST = $(GO) test -timeout 30m $(TESTFLAGS)

.DEFAULT_GOAL := help
.PHONY: help
help: ## show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/odx, installing Go if it is missing
	@.ci/setup build
	$(GO) build -buildvcs=false -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/odx ./cmd/odx

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

.PHONY: interop
interop: ## fetch PostgreSQL of the versions in PG and REGRESS and run the tests that use it
	@.ci/setup test
	servers=$$(for v in $(PG); do .ci/postgres $$v || exit 1; done | paste -sd:) && \
	regress=$$(for v in $(REGRESS); do .ci/regress $$v || echo "without PostgreSQL $$v's regression database" >&2; done | paste -sd:) && \
	ODX_TEST_PG="$$servers" ODX_TEST_REGRESS="$$regress" ODX_TEST_RESTORES=$(RESTORES) $(GOTEST) -timeout 2h -count=1 \
		./dumpfmt/... ./convert/... ./parallel/... ./cmd/... ./bench/...

.PHONY: lint
lint: ## gofmt, vet, staticcheck, go.mod, import rules
	@.ci/setup build
	.ci/lint

.PHONY: bench
bench: ## run the Go benchmarks
	@.ci/setup test
	$(GOTEST) -run '^$$' -bench . -benchmem $(PKGS)

.PHONY: check
check: lint fuzz race test ## everything to run before a commit is shared

.PHONY: clean
clean: ## remove what was built and Go's cached test results
	rm -rf bin .cache
	$(GO) clean -testcache

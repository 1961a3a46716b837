# make test and make check need git, ssh, sshd, gpg, curl and jq; when they miss one, install it:
#   apt-get install git openssh-client openssh-server gnupg curl jq
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
IMAGE ?= localhost/towpath:dev
DIR ?= examples

.DEFAULT_GOAL := help
.PHONY: help build demo test test-forge test-s3 conformance check tools fmt vet lint tidy static race laws bench corpus image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/towpath, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/towpath ./cmd/towpath

demo: build ## Watch it work, on this machine alone
	bin/towpath demo

test: tools ## Run every test
	$(GO) test ./...

# CI replays what this records. A Gitea is built once, into the user's cache; it needs gcc.
test-forge: tools ## Run the forge's tests against a real Gitea, and record its answers
	@gitea=$$(GO="$(GO)" forge/gitea/testdata/server/build.sh) && \
	  TOWPATH_GITEA="$$gitea" $(GO) test -count=1 -timeout 30m ./forge/gitea/... && \
	  TOWPATH_GITEA="$$gitea" $(GO) test -count=1 -tags gitea -timeout 10m -run TestGitea ./cmd/towpath

# The server is built once, into the user's cache.
test-s3: ## Run the integrated registry's tests against a real S3 server
	@server=$$(GO="$(GO)" registry/integrated/testdata/s3server/build.sh) && \
	  TOWPATH_S3SERVER="$$server" $(GO) test -count=1 -tags s3 -timeout 5m -run TestS3 ./registry/integrated

conformance: ## Run the OCI conformance suite, from a checkout of distribution-spec: DIR=PATH
	@test -f "$(DIR)/conformance/go.mod" || { echo "fix: make conformance DIR=path/to/distribution-spec" >&2; exit 1; }
	@suite=$$(mktemp -d) && trap 'rm -r "$$suite"' EXIT && (cd "$(DIR)/conformance" && $(GO) build -o "$$suite/conformance" .) && \
	  TOWPATH_CONFORMANCE="$$suite/conformance" $(GO) test -count=1 -tags conformance -v -run TestConformance ./registry/integrated

check: fmt vet lint tidy static race ## All that a change must pass, race tests last

tools:
	@for tool in git ssh sshd gpg curl jq; do PATH="$$PATH:/usr/sbin" command -v $$tool >/dev/null || \
	  { echo "the tests need $$tool: apt-get install git openssh-client openssh-server gnupg curl jq" >&2; exit 1; }; done

fmt:
	@out=$$(gofmt -l .); test -z "$$out" || { echo "gofmt -w these:"; echo "$$out"; exit 1; }

vet:
	$(GO) vet ./...
	$(GO) vet -tags gitea ./cmd/towpath
	$(GO) vet -tags s3,conformance ./registry/integrated

lint:
	$(GO) run $(STATICCHECK) ./...

tidy:
	$(GO) mod tidy -diff

# The binary must run in an image that holds nothing else.
static: build
	@ldd bin/towpath 2>&1 | grep -q 'not a dynamic executable' || { echo "bin/towpath is not static: build it with CGO_ENABLED=0"; exit 1; }
	bin/towpath version

# What one goroutine computes at length, and what is measured, says nothing of races; make test runs
# it. Under -race these took minutes. A test by another name is run.
RACELESS = TestReviewMany TestReviewManyLanes TestReviewManyVoices TestReviewCameLater TestReviewGreenRequests \
  TestNothingNewAtScale TestFastBesideSlow TestNamespacesTakeTurns TestFlappingTag TestCrowd TestReverter TestHugeTree TestManyTags \
  TestCostOfALargeSquash TestLetterFits TestLawMessages TestMemoryIsBounded TestPowerLoss TestMeasures \
  TestLongDescriptionsOfStrangers TestHostileAnswersTakeLittleMemory TestLawPrune TestHugeFileOfServer

# A package that starts no goroutine and has no lock, nor its tests, has no races.
RACY = $(GO) list -f '{{.Dir}} {{.ImportPath}}' ./... | while read -r dir pkg; do \
  if grep -qE '^[[:space:]]*go (func|[[:alnum:].]+\()|\.Go\(|"sync(/atomic)?"' "$$dir"/*.go; then echo "$$pkg"; fi; done

# Every process of a race test sleeps a second at its end where nothing else is said, and the tests
# of cmd/towpath start hundreds.
race: export GORACE = atexit_sleep_ms=50
race: tools
	$(GO) test -race -vet=off -timeout 20m -skip "^($$(echo $(RACELESS) | tr ' ' '|'))\$$" $$($(RACY))

laws: ## Try the laws on worlds that no run saw before
	TOWPATH_SEED=random $(GO) test -count=1 ./config ./policy ./imagestream ./yamledit ./gitstore/gogit ./internal/corpus
	$(GO) test -count=1 -timeout 20m ./reconcile -run TestLaw -seeds 200

bench: ## Measure against native git, go-git alone and plain net/http; print the ratios: make bench BENCH="-only steady"
	$(GO) run ./internal/bench $(BENCH)

corpus: ## Write a status into every stream below DIR, in memory, and prove that nothing else changes: make corpus DIR=path
	$(GO) run ./internal/corpus $(DIR)

image: ## Build the container image IMAGE with docker, podman or buildah
	@for tool in docker podman buildah; do \
	  if command -v $$tool >/dev/null; then exec $$tool build -t $(IMAGE) .; fi; \
	done; echo "docker, podman or buildah is needed" >&2; exit 1

clean: ## Remove what was built
	rm -rf bin

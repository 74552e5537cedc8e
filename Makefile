# CONTRIBUTING.md says what each target does.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
MODULES = . $(patsubst %/,%,$(dir $(wildcard */go.mod */*/go.mod */*/*/go.mod */*/*/*/go.mod)))
TARGETS = darwin/arm64 windows/amd64 linux/arm64 linux/386

.PHONY: test lint core programs unit cross e2e chaos soak fuzz vuln tidy

test: lint unit cross e2e

# The fixes of go fix that are left out make code longer, or change what it does.
FIX = $(GO) fix -diff -omitzero=false -stringsbuilder=false -stditerators=false
lint:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'd:"; gofmt -l .; exit 1; }
	@for m in $(MODULES); do \
		(cd $$m && $(GO) vet ./... && $(FIX) ./... && $(GO) run $(STATICCHECK) ./...) || exit 1; \
	done

# The seeds of the fuzz targets run with the tests.
core:
	$(GO) test -race -shuffle=on -timeout 20m ./...
	NEXTRUSH_SERVER=net/http $(GO) test -race -shuffle=on -timeout 20m . ./middleware ./nextrushtest

# Tests of core that need them are left out without them.
programs:
	@scripts/need.sh node:nodejs
	@/usr/bin/python3 -c 'import websockets' 2>/dev/null || python3 -c 'import websockets' 2>/dev/null || scripts/need.sh python3:python3 python3-websockets:python3-websockets

unit: programs core
	@PATH="$$PATH:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)" scripts/need.sh redis-server:redis-server initdb:postgresql node:nodejs npm:npm
	@for m in $(filter-out . benchmarks e2e,$(MODULES)); do \
		(cd $$m && echo "test $$m" && $(GO) test -race -shuffle=on -timeout 20m ./...) || exit 1; \
	done
	cd benchmarks && $(GO) test ./...

cross:
	@for t in $(TARGETS); do echo "vet $$t"; GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) vet ./... || exit 1; done

e2e:
	@scripts/need.sh chromium:chromium firefox-esr:firefox-esr nginx:nginx-light caddy:caddy haproxy:haproxy curl:curl h2load:nghttp2-client python3:python3 node:nodejs npm:npm systemd-analyze:systemd redis-server:redis-server redis-sentinel:redis-sentinel
	cd e2e && $(GO) test -race -count=1 -timeout 40m ./cluster
	cd e2e && $(GO) test -race -count=1 -timeout 40m $$($(GO) list ./... | grep -v /cluster)

# What make e2e has of it is shorter.
chaos:
	@scripts/need.sh redis-server:redis-server redis-sentinel:redis-sentinel
	cd e2e && CHAOS=full $(GO) test -v -count=1 -timeout 30m ./cluster

# make soak SOAK=1h has thousands of connections use HTTP on the event loop that long.
SOAK ?= 1m
soak:
	SOAK=$(SOAK) $(GO) test -count=1 -v -run TestSoak -timeout 25h ./internal/servertest

# make fuzz FUZZTIME=10m runs every fuzz target that long.
FUZZTIME ?= 10s
fuzz:
	@for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
		done; \
	done

vuln:
	@for m in $(MODULES); do echo "govulncheck $$m"; (cd $$m && $(GO) run $(GOVULNCHECK) ./...) || exit 1; done

# go mod tidy in all modules; alone it would look for the other modules in the network.
tidy:
	$(GO) run ./scripts/release -tidy

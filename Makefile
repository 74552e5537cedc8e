# make test runs everything and installs what it needs; see CONTRIBUTING.md.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
MODULES = . $(patsubst %/,%,$(dir $(wildcard */go.mod */*/go.mod */*/*/go.mod)))
TARGETS = darwin/arm64 windows/amd64 linux/arm64 linux/386

.PHONY: test lint unit redis cross e2e fuzz tidy

test: lint unit cross e2e

lint:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'd:"; gofmt -l .; exit 1; }
	@for m in $(MODULES); do (cd $$m && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...) || exit 1; done

# The seeds of the fuzz targets run with the tests.
unit: redis
	@for m in $(filter-out benchmarks e2e,$(MODULES)); do \
		(cd $$m && echo "test $$m" && $(GO) test -race -shuffle=on ./...) || exit 1; \
	done
	cd benchmarks && $(GO) test ./...

redis:
	@command -v redis-server >/dev/null || { apt-get update -q && apt-get install -qy redis-server; }

cross:
	@for t in $(TARGETS); do echo "build $$t"; GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build ./... || exit 1; done

# The tests of e2e run these programs, each in the Debian package behind the colon.
E2E_PROGRAMS = chromium:chromium nginx:nginx-light caddy:caddy npm:npm systemd-analyze:systemd
e2e:
	@for p in $(E2E_PROGRAMS); do \
		command -v $${p%:*} >/dev/null || { apt-get update -q && apt-get install -qy $${p#*:}; } || exit 1; \
	done
	cd e2e && $(GO) test -race -count=1 ./...

# make fuzz FUZZTIME=10m runs every fuzz target that long.
FUZZTIME ?= 10s
fuzz:
	@for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
		done; \
	done

# go mod tidy in all modules; alone it would look for the other modules in the network.
tidy:
	$(GO) run ./scripts/release -tidy

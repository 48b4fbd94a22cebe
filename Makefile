# Sparewatch. `make` alone prints this help.
GO      ?= go
BIN     := bin/sparewatch
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help
help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: build
build: ## build bin/sparewatch, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/sparewatch

.PHONY: package
package: ## build the Debian package into dist/
	@GO=$(GO) scripts/package

.PHONY: run
run: build ## start the demo: a simulated datacenter, watched live
	./$(BIN) demo

.PHONY: test
test: deps ## run every test; installs what the tests need where it may
	$(GO) test ./...

.PHONY: short
short: ## the fast tests, without daemons
	$(GO) test -short ./...

.PHONY: race
race: ## the rooms that share memory between goroutines, under the race detector
	$(GO) test -race -short ./pkg/app ./pkg/bus ./pkg/poll ./pkg/trap ./pkg/notify/... ./pkg/lab ./pkg/web ./pkg/api ./pkg/export/... ./pkg/engine ./pkg/state ./collectors/ipmi ./collectors/redfish

.PHONY: lint
lint: ## formatting, vet and the linters of .golangci.yml
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run: gofmt -w on these files"; exit 1; }
	$(GO) vet ./...
	@scripts/lint

.PHONY: check
check: lint test race generate ## what CI runs
	@git diff --exit-code || { echo "generated files are stale: commit what 'make generate' changed"; exit 1; }

.PHONY: generate
generate: ## write generated files anew
	$(GO) generate ./...
	$(GO) mod tidy

.PHONY: golden
golden: ## accept what the tests print now as golden; read the diff
	$(GO) test ./... -run Golden -update

.PHONY: bench-engine
bench-engine: ## the engine's benchmarks, beside what others need for the same work
	@GO=$(GO) scripts/bench-engine

.PHONY: bench-peers
bench-peers: ## a poll of ours beside other exporters, on the same simulated devices, in turn
	@scripts/deps prometheus-ipmi-exporter prometheus-snmp-exporter snmpd
	BENCH_PEERS=1 $(GO) test ./test/peers -run Bench -v -count=1

.PHONY: bench-fleet
bench-fleet: ## the daemon on 10,000 simulated devices; FLEET=snmp|redfish|ipmi|bmc (1,000 of each kind), FLEET_SIZE, FLEET_INTERVAL, FLEET_INTERVALS
	BENCH_FLEET=1 FLEET=$(FLEET) FLEET_SIZE=$(FLEET_SIZE) FLEET_INTERVAL=$(FLEET_INTERVAL) FLEET_INTERVALS=$(FLEET_INTERVALS) $(GO) test ./test/fleet -run BenchFleet -v -count=1 -timeout 30m

.PHONY: bench-export
bench-export: ## /metrics of ten thousand devices, /probe at a thousand a second, lines for InfluxDB
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/export/prom ./pkg/export/influx
	BENCH_EXPORT=1 $(GO) test ./pkg/export/prom -run BenchProbe -v -count=1

.PHONY: dashboards
dashboards: ## check the dashboards against Grafana's schema, and draw what they show of the demo into docs/dashboards
	scripts/grafana-schema
	$(GO) test ./test/dashboards -run TestDemo -count=1 -pictures

.PHONY: bench-ledger
bench-ledger: ## a start with a long ledger, read whole and by its mark; YEAR: how many entries (1,000,000)
	SPAREWATCH_YEAR=$${YEAR:-1000000} $(GO) test -count=1 -timeout 1h -v -run TestStartWithAYearOfRecords ./pkg/app

.PHONY: bench-paths
bench-paths: ## a million routes of each of two upstreams over BMP and BGP, one withdrawal until its finding, the largest dump recorded; gobgp and pmacct beside us
	@scripts/deps pmacct
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/bgp ./pkg/bmp
	BENCH_PATHS=1 $(GO) test ./test/paths -run 'FullTable|Speakers|LargestMRT|Receivers' -v -count=1 -timeout 30m

.PHONY: score
score: ## what inspect makes of every recorded machine, beside what a person expects of it
	$(GO) test ./test/peers -run Score -v -count=1

.PHONY: deps
deps: ## install the daemons that tests talk to, where apt-get is allowed
	@scripts/deps

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

//go:build deps

package sparewatch

import (
	_ "github.com/PagerDuty/go-pagerduty"
	_ "github.com/alecthomas/kong"
	_ "github.com/bougou/go-ipmi/pkg/crypto"
	_ "github.com/bougou/go-ipmi/pkg/rmcpplus"
	_ "github.com/bougou/go-ipmi/pkg/types"
	_ "github.com/gosnmp/gosnmp"
	_ "github.com/influxdata/influxdb-client-go/v2"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go"
	_ "github.com/nats-io/nats.go/jetstream"
	_ "github.com/osrg/gobgp/v3/api"
	_ "github.com/osrg/gobgp/v3/pkg/packet/bmp"
	_ "github.com/osrg/gobgp/v3/pkg/packet/mrt"
	_ "github.com/osrg/gobgp/v3/pkg/server"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/testutil/promlint"
	_ "github.com/prometheus/common/expfmt"
	_ "github.com/prometheus/exporter-toolkit/web"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/stmcginnis/gofish"
	_ "go.uber.org/goleak"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/term"
	_ "pgregory.net/rapid"
)

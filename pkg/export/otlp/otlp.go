// Package otlp sends samples as OpenTelemetry metrics, in protobuf over HTTP, to a collector or what takes its protocol.
//
// Specification: https://opentelemetry.io/docs/specs/otlp/ 1.x. Names and labels are those of Prometheus; state sets are
// gauges of 0 and 1; a number that is not known is a point flagged as having no value.
package otlp

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/sparewatch/sparewatch/pkg/export"
)

// Encoder makes batches of export requests. One goroutine uses it; it implements export.Sink between Begin and End.
type Encoder struct {
	resource *resource.Resource
	version  string
	limit    int
	started  uint64 // ns since 1970, of all counters

	at      uint64
	metrics map[*export.Family]*metrics.Metric
	points  int
	size    int // of the texts in it, about
	put     func(body []byte, points int) error
	err     error
}

// NewEncoder returns an encoder of batches of at most limit points. attributes are the resource's, as
// service.instance.id; counters count since started.
func NewEncoder(limit int, version string, started time.Time, attributes map[string]string) *Encoder {
	r := &resource.Resource{Attributes: []*common.KeyValue{attribute("service.name", "sparewatch"), attribute("service.version", version)}}
	for k, v := range attributes {
		r.Attributes = append(r.Attributes, attribute(k, v))
	}
	slices.SortFunc(r.Attributes, func(a, b *common.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	return &Encoder{resource: r, version: version, limit: limit, started: uint64(started.UnixNano()), metrics: map[*export.Family]*metrics.Metric{}}
}

func attribute(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: export.Text(value)}}}
}

// Begin begins a round whose points are all of one time. A body is only put's until put returns.
func (e *Encoder) Begin(at time.Time, put func(body []byte, points int) error) {
	e.at, e.put, e.err = uint64(at.UnixNano()), put, nil
}

// Add implements export.Sink.
func (e *Encoder) Add(f *export.Family, value float64, labels ...string) {
	p := &metrics.NumberDataPoint{TimeUnixNano: e.at}
	if math.IsNaN(value) {
		p.Flags = uint32(metrics.DataPointFlags_DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK)
	} else {
		p.Value = &metrics.NumberDataPoint_AsDouble{AsDouble: value}
	}
	for i, name := range f.Labels {
		if labels[i] != "" {
			p.Attributes = append(p.Attributes, attribute(name, labels[i]))
			e.size += len(name) + len(labels[i])
		}
	}
	m := e.metrics[f]
	if m == nil {
		m = e.metric(f)
		e.metrics[f] = m
		e.size += len(f.Name) + len(f.Help)
	}
	if f.Kind == export.Counter {
		p.StartTimeUnixNano = e.started
		sum := m.GetSum()
		sum.DataPoints = append(sum.DataPoints, p)
	} else {
		gauge := m.GetGauge()
		gauge.DataPoints = append(gauge.DataPoints, p)
	}
	e.points++
	if e.size += pointSize; e.points >= e.limit || e.size > export.MaxBody/2 {
		e.flush()
	}
}

// pointSize is more than a point takes beside its texts.
const pointSize = 64

func (e *Encoder) metric(f *export.Family) *metrics.Metric {
	m := &metrics.Metric{Name: f.Name, Description: f.Help}
	if f.Kind == export.Counter {
		m.Data = &metrics.Metric_Sum{Sum: &metrics.Sum{IsMonotonic: true, AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE}}
	} else {
		m.Data = &metrics.Metric_Gauge{Gauge: &metrics.Gauge{}}
	}
	return m
}

// End ends the round.
func (e *Encoder) End() error {
	e.flush()
	return e.err
}

func (e *Encoder) flush() {
	if e.points > 0 && e.err == nil {
		e.err = e.send()
	}
	clear(e.metrics)
	e.points, e.size = 0, 0
}

// send marshals a MetricsData, which on the wire is an ExportMetricsServiceRequest.
func (e *Encoder) send() error {
	scope := &metrics.ScopeMetrics{Scope: &common.InstrumentationScope{Name: "sparewatch", Version: e.version}}
	for _, m := range e.metrics {
		scope.Metrics = append(scope.Metrics, m)
	}
	slices.SortFunc(scope.Metrics, func(a, b *metrics.Metric) int { return strings.Compare(a.Name, b.Name) })
	body, err := proto.Marshal(&metrics.MetricsData{ResourceMetrics: []*metrics.ResourceMetrics{{Resource: e.resource, ScopeMetrics: []*metrics.ScopeMetrics{scope}}}})
	if err != nil {
		return err
	}
	return e.put(body, e.points)
}

// Writer sends batches to one receiver.
type Writer struct{ poster *export.Poster }

// NewWriter checks the URL, as https://otel.example.net:4318/v1/metrics. Header holds what the receiver wants beside the
// protocol's own.
func NewWriter(client *http.Client, at string, header http.Header) (*Writer, error) {
	p, ok := export.NewPoster(client, at, header, http.Header{
		"Content-Encoding": {"gzip"},
		"Content-Type":     {"application/x-protobuf"},
	})
	if !ok {
		return nil, errors.New("OTLP goes to https://HOST:4318/v1/metrics")
	}
	return &Writer{p}, nil
}

// Write implements export.Writer. A receiver may take a request and reject some of its points.
func (w *Writer) Write(ctx context.Context, body []byte) error {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // the level is a valid one
	_, _ = z.Write(body)                                 // a buffer takes everything
	_ = z.Close()
	answer, err := w.poster.Post(ctx, packed.Bytes())
	if err != nil {
		return err
	}
	if points, why := rejected(answer); points > 0 {
		return &export.RefusedError{Points: points, Why: cmp.Or(export.Line(why), "no reason is given")}
	}
	return nil
}

// rejected reads how many points an answer says were not taken, and why. The answer is an
// ExportMetricsServiceResponse: field 1 is partial_success, and of that field 1 rejected_data_points and field 2
// error_message. What is no such message counts as an answer that rejects nothing: the status said so.
func rejected(answer []byte) (points int, why string) {
	fields(answer, func(n protowire.Number, partial []byte, _ uint64) {
		if n != 1 {
			return
		}
		fields(partial, func(n protowire.Number, text []byte, number uint64) {
			switch n {
			case 1:
				points = int(max(int64(number), 0)) // more than were sent is for the caller to doubt
			case 2:
				why = string(text)
			}
		})
	})
	return points, why
}

// fields calls f for each field of a message: with its bytes, or with its number. It ends where the message does not
// parse.
func fields(message []byte, f func(n protowire.Number, bytes []byte, number uint64)) {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return
		}
		message = message[size:]
		var bytes []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			number, size = protowire.ConsumeVarint(message)
		default:
			size = protowire.ConsumeFieldValue(n, kind, message)
		}
		if size < 0 {
			return
		}
		f(n, bytes, number)
		message = message[size:]
	}
}

var (
	_ export.Writer = (*Writer)(nil)
	_ export.Sink   = (*Encoder)(nil)
)

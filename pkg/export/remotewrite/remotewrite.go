// Package remotewrite sends samples to Prometheus, and to what speaks its remote-write protocol 1.0 (VictoriaMetrics,
// Mimir, Thanos), for sites that cannot be scraped.
//
// Specification: https://prometheus.io/docs/specs/prw/remote_write_spec/.
package remotewrite

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sparewatch/sparewatch/pkg/export"
)

// Encoder makes batches of write requests. One goroutine uses it; it implements export.Sink between Begin and End.
type Encoder struct {
	labels []label // of every series, beside its own: job and instance
	limit  int     // samples in a batch

	at      int64 // ms since 1970
	body    []byte
	samples int
	put     func(body []byte, samples int) error
	err     error
	series  []byte // scratch
	all     []label

	fleeting map[string]bool // series of fleeting families: true in this round, false in the last one
}

type label struct{ name, value string }

// NewEncoder returns an encoder of batches of at most limit samples, each with these labels beside its own.
func NewEncoder(limit int, labels map[string]string) *Encoder {
	e := &Encoder{limit: limit, fleeting: map[string]bool{}}
	for name, value := range labels {
		e.labels = append(e.labels, label{name, export.Text(value)})
	}
	return e
}

// Begin begins a round whose samples are all of one time. A body is only put's until put returns.
func (e *Encoder) Begin(at time.Time, put func(body []byte, samples int) error) {
	e.at, e.put, e.err = at.UnixMilli(), put, nil
}

// Fields of the messages of prometheus/prompb/{remote,types}.proto.
const (
	requestSeries = 1
	seriesLabels  = 1
	seriesSamples = 2
	labelName     = 1
	labelValue    = 2
	sampleValue   = 1
	sampleTime    = 2
)

// Add implements export.Sink.
func (e *Encoder) Add(f *export.Family, value float64, labels ...string) {
	e.all = append(append(e.all[:0], label{"__name__", f.Name}), e.labels...)
	for i, name := range f.Labels {
		if labels[i] != "" { // an empty label is none
			e.all = append(e.all, label{name, export.Text(labels[i])})
		}
	}
	slices.SortFunc(e.all, func(a, b label) int { return strings.Compare(a.name, b.name) })
	e.series = e.series[:0]
	for _, l := range e.all {
		e.series = protowire.AppendTag(e.series, seriesLabels, protowire.BytesType)
		e.series = protowire.AppendVarint(e.series, uint64(stringSize(labelName, l.name)+stringSize(labelValue, l.value)))
		e.series = protowire.AppendTag(e.series, labelName, protowire.BytesType)
		e.series = protowire.AppendString(e.series, l.name)
		e.series = protowire.AppendTag(e.series, labelValue, protowire.BytesType)
		e.series = protowire.AppendString(e.series, l.value)
	}
	if f.Fleeting {
		e.fleeting[string(e.series)] = true
	}
	e.sample(e.series, value)
}

func stringSize(field protowire.Number, s string) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(len(s))
}

// sample adds one sample of the series whose labels stand encoded in series.
func (e *Encoder) sample(series []byte, value float64) {
	n := protowire.SizeTag(sampleValue) + 8 + protowire.SizeTag(sampleTime) + protowire.SizeVarint(uint64(e.at))
	b := protowire.AppendTag(e.body, requestSeries, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(series)+protowire.SizeTag(seriesSamples)+protowire.SizeBytes(n)))
	b = append(b, series...)
	b = protowire.AppendTag(b, seriesSamples, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(n))
	b = protowire.AppendTag(b, sampleValue, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(value))
	b = protowire.AppendTag(b, sampleTime, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(e.at))
	e.body = b
	e.samples++
	if e.samples >= e.limit || len(e.body) > export.MaxBody-maxSeries {
		e.flush()
	}
}

// maxSeries is more than one series takes.
const maxSeries = 64 << 10

// staleNaN tells Prometheus that a series has ended (model/value in its source).
var staleNaN = math.Float64frombits(0x7ff0000000000002)

// End ends the round: series of fleeting families that are no longer there are marked stale.
func (e *Encoder) End() error {
	for series, now := range e.fleeting {
		if now {
			e.fleeting[series] = false
			continue
		}
		delete(e.fleeting, series)
		e.sample([]byte(series), staleNaN)
	}
	e.flush()
	return e.err
}

func (e *Encoder) flush() {
	if e.samples > 0 && e.err == nil {
		e.err = e.put(e.body, e.samples)
	}
	e.body, e.samples = e.body[:0], 0
}

// Writer sends batches to one receiver.
type Writer struct{ poster *export.Poster }

// NewWriter checks the URL, as https://prometheus.example.net/api/v1/write. Header holds what the receiver wants beside
// the protocol's own: authorization, a tenant.
func NewWriter(client *http.Client, at string, header http.Header) (*Writer, error) {
	p, ok := export.NewPoster(client, at, header, http.Header{
		"Content-Encoding":                  {"snappy"},
		"Content-Type":                      {"application/x-protobuf"},
		"X-Prometheus-Remote-Write-Version": {"0.1.0"},
	})
	if !ok {
		return nil, errors.New("a remote write goes to https://HOST/PATH; Prometheus' own path is /api/v1/write")
	}
	return &Writer{p}, nil
}

// Write implements export.Writer.
func (w *Writer) Write(ctx context.Context, body []byte) error {
	_, err := w.poster.Post(ctx, s2.EncodeSnappy(nil, body))
	return err
}

var (
	_ export.Writer = (*Writer)(nil)
	_ export.Sink   = (*Encoder)(nil)
)

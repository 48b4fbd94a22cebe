package prom

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/sparewatch/sparewatch/pkg/export"
)

// Handler serves /metrics: the view's metrics and those of the process.
func Handler(s Source, log *slog.Logger) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	pages := newPages()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		process, err := r.Gather()
		if err != nil {
			log.Warn("some metrics of the process cannot be shown", "error", err)
		}
		pages.write(w, req, func(p *page) { Collect(s(), &p.text) }, process)
	})
}

// formats are those that we write: texts, no protobuf.
var formats = slices.DeleteFunc(expfmt.DefaultOpenMetricsAcceptedFormats(), func(f expfmt.Format) bool {
	return f.FormatType() != expfmt.TypeOpenMetrics && f.FormatType() != expfmt.TypeTextPlain
})

// page is what one answer is made in.
type page struct {
	text
	known quantities
	zip   *gzip.Writer
}

// pages keeps pages for the next answers: most of what a scrape costs is memory.
type pages struct{ pool sync.Pool }

func newPages() *pages {
	return &pages{sync.Pool{New: func() any {
		zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
		return &page{text: text{families: map[*export.Family]*bytes.Buffer{}}, known: quantities{}, zip: zip}
	}}}
}

// mostQuantities bounds the families that a page keeps: devices choose the names of their readings.
const mostQuantities = 1000

// write sends what collect puts on a page, and then more, in the format that the client asks for.
func (all *pages) write(w http.ResponseWriter, req *http.Request, collect func(*page), more []*dto.MetricFamily) {
	p := all.pool.Get().(*page)
	defer all.put(p)
	format := expfmt.NegotiateAccept(req.Header, formats...)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	out := io.Writer(w)
	if strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		p.zip.Reset(w)
		defer p.zip.Close() //nolint:errcheck // the client has gone away
		out = p.zip
	}
	p.open = format.FormatType() == expfmt.TypeOpenMetrics
	collect(p)
	_ = p.encode(out, format, more) // as above
}

func (all *pages) put(p *page) {
	if p.reset(); len(p.known) <= mostQuantities {
		all.pool.Put(p)
	}
}

func (t *text) encode(w io.Writer, format expfmt.Format, more []*dto.MetricFamily) error {
	if err := t.writeTo(w); err != nil {
		return err
	}
	enc := expfmt.NewEncoder(w, format)
	for _, f := range more {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	if t.open {
		_, err := io.WriteString(w, "# EOF\n")
		return err
	}
	return nil
}

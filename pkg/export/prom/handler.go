package prom

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

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
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		process, err := r.Gather()
		if err != nil {
			log.Warn("some metrics of the process cannot be shown", "error", err)
		}
		write(w, req, func(to export.Sink) { Collect(s(), to) }, process)
	})
}

// formats are those that we write: texts, no protobuf.
var formats = slices.DeleteFunc(expfmt.DefaultOpenMetricsAcceptedFormats(), func(f expfmt.Format) bool {
	return f.FormatType() != expfmt.TypeOpenMetrics && f.FormatType() != expfmt.TypeTextPlain
})

// write sends what collect gives, and then more, in the format that the client asks for.
func write(w http.ResponseWriter, req *http.Request, collect func(export.Sink), more []*dto.MetricFamily) {
	format := expfmt.NegotiateAccept(req.Header, formats...)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	out := io.Writer(w)
	if strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is a valid one
		defer z.Close()                                //nolint:errcheck // the client has gone away
		out = z
	}
	_ = encode(out, format, collect, more) // as above
}

func encode(w io.Writer, format expfmt.Format, collect func(export.Sink), more []*dto.MetricFamily) error {
	t := newText(format.FormatType() == expfmt.TypeOpenMetrics)
	collect(t)
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

package prom

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Handler serves /metrics: the view's metrics and those of the process.
func Handler(s Source, log *slog.Logger) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(NewCollector(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		families, err := r.Gather()
		if err != nil {
			log.Warn("some metrics cannot be shown", "error", err)
		}
		if len(families) == 0 && err != nil {
			http.Error(w, "no metric can be shown: "+err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, req, families)
	})
}

// write sends the families in the format that the client asks for. It stands in for promhttp because client_golang
// knows no state sets: in OpenMetrics they get their own type.
func write(w http.ResponseWriter, req *http.Request, families []*dto.MetricFamily) {
	format := expfmt.NegotiateAccept(req.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	out := io.Writer(w)
	if strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close() //nolint:errcheck // the client has gone away
		out = z
	}
	_ = encode(out, format, families) // as above
}

func encode(w io.Writer, format expfmt.Format, families []*dto.MetricFamily) error {
	open := format.FormatType() == expfmt.TypeOpenMetrics
	var buf bytes.Buffer
	for _, f := range families {
		buf.Reset()
		enc := expfmt.NewEncoder(&buf, format)
		if err := enc.Encode(f); err != nil {
			return fmt.Errorf("encode %s: %w", f.GetName(), err)
		}
		text := buf.Bytes()
		if open && isStateSet(f) {
			line := "# TYPE " + f.GetName() + " "
			text = bytes.Replace(text, []byte(line+"gauge\n"), []byte(line+"stateset\n"), 1)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	if open {
		_, err := io.WriteString(w, "# EOF\n")
		return err
	}
	return nil
}

// isStateSet reports whether a label of the family bears the family's own name: that is what OpenMetrics calls a state
// set.
func isStateSet(f *dto.MetricFamily) bool {
	if len(f.GetMetric()) == 0 {
		return false
	}
	for _, l := range f.GetMetric()[0].GetLabel() {
		if l.GetName() == f.GetName() {
			return true
		}
	}
	return false
}

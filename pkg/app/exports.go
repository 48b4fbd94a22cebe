package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/export/influx"
	"github.com/sparewatch/sparewatch/pkg/export/otlp"
	"github.com/sparewatch/sparewatch/pkg/export/prom"
	"github.com/sparewatch/sparewatch/pkg/export/remotewrite"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// exporter turns pictures into batches for one receiver, and has a pipe bring them there.
type exporter struct {
	conf   config.Export
	encode func(p *picture, all bool, put func(body []byte, points int) error) error
	eager  bool // what changed between rounds is written too
	writer export.Writer
	pipe   *export.Pipe
	stop   []func(context.Context) error
}

// newExporters builds the exporters of a configuration. They dial nothing.
func (a *App) newExporters(c *config.Config) ([]*exporter, error) {
	var list []*exporter
	for _, e := range c.Exports {
		x, err := a.newExporter(c, e)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", e.Kind, e.Name, err)
		}
		list = append(list, x)
	}
	return list, nil
}

func (a *App) newExporter(c *config.Config, e config.Export) (x *exporter, err error) {
	x = &exporter{conf: e}
	switch e.Kind {
	case config.Influx:
		enc := influx.NewEncoder(e.Batch, e.Parts)
		x.eager = true
		x.encode = func(p *picture, all bool, put func([]byte, int) error) error {
			return enc.Encode(influx.View{Site: p.site, Report: p.report, Devices: p.devices}, all, put)
		}
		x.writer, err = influx.NewWriter(influx.Options{
			URL: e.URL, Org: e.Org, Bucket: e.Bucket, Token: e.Secret, Database: e.Database, Retention: e.Retention, User: e.User, Password: e.Secret, TLS: e.TLS,
		})
	case config.RemoteWrite:
		enc := remotewrite.NewEncoder(e.Batch, map[string]string{"job": "sparewatch", "instance": c.Site})
		x.encode = samples(enc, e.Parts)
		x.writer, err = remotewrite.NewWriter(client(e), e.URL, header(e))
	case config.OTLP:
		enc := otlp.NewEncoder(e.Batch, a.o.Version, a.o.Now(), map[string]string{"service.instance.id": c.Site})
		x.encode = samples(enc, e.Parts)
		x.writer, err = otlp.NewWriter(client(e), e.URL, header(e))
	default:
		err = errors.New("there is no such kind")
	}
	return x, err
}

// rounds is what the encoders of samples have in common.
type rounds interface {
	export.Sink
	Begin(at time.Time, put func(body []byte, points int) error)
	End() error
}

func samples(enc rounds, parts bool) func(*picture, bool, func([]byte, int) error) error {
	return func(p *picture, _ bool, put func([]byte, int) error) error {
		enc.Begin(p.at, put)
		prom.Collect(prom.View{Report: p.report, Devices: p.devices, Daemon: p.daemon}, enc)
		if parts {
			prom.Parts(p.devices, enc)
		}
		return enc.End()
	}
}

// client verifies the receiver as the configuration says, and follows nobody elsewhere.
func client(e config.Export) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if u, err := url.Parse(e.URL); err == nil {
		transport.TLSClientConfig = e.TLS.Config(u.Hostname())
	}
	return &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func header(e config.Export) http.Header {
	h := http.Header{}
	for name, value := range e.Headers {
		h.Set(name, value)
	}
	switch r := (&http.Request{Header: h}); {
	case e.User != "":
		r.SetBasicAuth(e.User, e.Secret.Reveal())
	case e.Secret.Set():
		h.Set("Authorization", "Bearer "+e.Secret.Reveal())
	}
	return h
}

// openExporters starts exporters, each with its spool on the bus.
func (a *App) openExporters(ctx context.Context, list []*exporter) error {
	for _, x := range list {
		spool, err := a.bus.Spool(ctx, x.conf.Name, x.conf.Spool)
		if err != nil {
			return err
		}
		x.pipe = export.NewPipe(export.Options{Name: x.conf.Name, Queue: spool, Writer: x.writer, Log: a.log, Now: a.now})
		x.stop = append(x.stop,
			a.tasks.start(ctx, "pipe to "+x.conf.Name, x.pipe.Run),
			a.tasks.start(ctx, "export to "+x.conf.Name, func(ctx context.Context) error { return a.export(ctx, x) }))
	}
	a.exports.Store(&list)
	return nil
}

// closeExporters ends them. What was not written stands in the spools.
func (a *App) closeExporters(ctx context.Context) error {
	var errs []error
	if list := a.exports.Swap(nil); list != nil {
		for _, x := range *list {
			for _, stop := range slices.Backward(x.stop) {
				errs = append(errs, stop(ctx))
			}
		}
	}
	return errors.Join(errs...)
}

// export is an exporter's task: everything once every so often, and what changed at once where the receiver keeps times
// that are exact.
func (a *App) export(ctx context.Context, x *exporter) error {
	look := time.NewTicker(min(x.conf.Every, time.Second))
	defer look.Stop()
	var last *picture
	var full time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
		p := a.picture.Load()
		all := p.at.Sub(full) >= x.conf.Every
		if p == last || p.report == nil || !all && !x.eager {
			continue
		}
		if all {
			full = p.at
		}
		last = p
		err := x.encode(p, all, func(body []byte, points int) error { return x.pipe.Put(ctx, body, points) })
		if err != nil && ctx.Err() == nil {
			a.log.Error("a round of numbers is not exported", "export", x.conf.Name, "error", err)
		}
	}
}

// exportStatus is how the exporters do.
func (a *App) exportStatus() (all []export.Status) {
	if list := a.exports.Load(); list != nil {
		for _, x := range *list {
			all = append(all, x.pipe.Status())
		}
	}
	return all
}

// lossShown is how long after the last loss of points it is a finding.
const lossShown = time.Hour

// withLosses adds to a report what the exporters had to drop: the daemon's own matter, of which no engine knows.
func (a *App) withLosses(r *engine.Report, now time.Time) *engine.Report {
	var lost []finding.Finding
	for _, s := range a.exportStatus() {
		if f := a.loss(s, now); f != nil {
			lost = append(lost, *f)
		}
	}
	if len(lost) == 0 {
		return r
	}
	with := *r
	with.Findings = append(slices.Clip(slices.Clone(r.Findings)), lost...)
	return &with
}

// loss is the finding on one exporter; nil where it lost nothing lately.
func (a *App) loss(s export.Status, now time.Time) *finding.Finding {
	last := s.LastDrop
	if s.LastRefused.After(last) {
		last = s.LastRefused
	}
	if last.IsZero() || now.Sub(last) > lossShown {
		return nil
	}
	c := a.config.Load()
	subject := component.ID(c.Site + "/exporter/" + s.Name)
	f := &finding.Finding{
		Key: finding.KeyOf(finding.ExportLoss, subject), Rule: finding.ExportLoss, Subject: subject, Since: last.Truncate(time.Hour),
		Summary: fmt.Sprintf("numbers for %s are lost", s.Name),
		Remedy:  "See what the receiver answers; give the spool more room (spool:), or write less often (every:).",
		Causes:  []finding.Cause{}, Impacts: []finding.Impact{}, Evidence: []string{},
		Severity: engineOptions(c, 0).SeverityOf(finding.ExportLoss, engine.NoTier),
	}
	f.Pages = f.Severity >= finding.Warning
	if s.Dropped > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("since the start %s were dropped, the oldest first: the spool had no room", points(s.Dropped)))
	}
	if s.Refused > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("since the start the receiver refused %s for good; it says: %s", points(s.Refused), s.Refusal))
	}
	if s.Error != "" {
		f.Evidence = append(f.Evidence, "the last attempt to write: "+s.Error)
	}
	return f
}

// points counts points in words.
func points(n uint64) string {
	if n == 1 {
		return "1 point"
	}
	return fmt.Sprintf("%d points", n)
}

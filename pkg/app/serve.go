package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/export/prom"
	"github.com/sparewatch/sparewatch/pkg/web"
)

// listen takes the page's address, so that another daemon's is found out before anything is touched.
func (a *App) listen() error {
	at := a.o.Config.Web.Listen
	l, err := net.Listen("tcp", at)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("listen on %s: %w; ports below 1024 take CAP_NET_BIND_SERVICE, see docs/install.md", at, err)
		}
		return fmt.Errorf("listen on %s: %w; choose another address with web: {listen: ...}", at, err)
	}
	a.listener = l
	a.undo = append(a.undo, func(context.Context) error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // the server may have closed it
			return err
		}
		return nil
	})
	return nil
}

var tlsSection = regexp.MustCompile(`(?m)^tls_server_config[ \t]*:`)

// checkWeb checks a web configuration file of the exporter toolkit and reports whether it asks for TLS.
func checkWeb(file string) (encrypted bool, err error) {
	if file == "" {
		return false, nil
	}
	if err := toolkit.Validate(file); err != nil {
		return false, fmt.Errorf("%s: %w; it is a web configuration of the Prometheus exporter toolkit", file, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	return tlsSection.Match(text), nil
}

// serve answers on the listener until ctx is done; those who are being answered then are waited for a while.
func (a *App) serve(ctx context.Context) error {
	server := &http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 20,
	}
	ended := make(chan error, 1)
	go func() {
		if file := a.o.Config.Web.TLSConfig; file != "" {
			ended <- toolkit.Serve(a.listener, server, &toolkit.FlagConfig{WebConfigFile: &file}, a.log)
			return
		}
		ended <- server.Serve(a.listener)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close() // those who still wait are cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// lastAnswers is how long those who are being answered hold up the end.
const lastAnswers = 3 * time.Second

// routes are all that the daemon answers.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	asked := api.Handler(api.Daemon{Status: a.Status, Simulate: a.Simulate, Gate: a.Gate, Cuts: a.Cuts, Capacity: a.Capacity, Healthy: a.Healthy, Ready: a.ready})
	mux.Handle("/api/", asked)
	mux.Handle("/healthz", asked)
	mux.Handle("/readyz", asked)
	mux.Handle("/metrics", prom.Handler(a.metrics, a.log))
	mux.Handle("/probe", prom.Probe(a.metrics, a.now))
	mux.Handle("/sd", prom.Discovery(a.metrics))
	mux.Handle("/", web.Handler(a.page))
	return mux
}

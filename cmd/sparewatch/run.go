package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/term"
)

type runCmd struct {
	Config  string `help:"Configuration: a YAML file, or a folder of them." required:"" type:"path" placeholder:"FILE" env:"SPAREWATCH_CONFIG"`
	Verbose bool   `short:"v" help:"Log more."`
	LogJSON bool   `name:"log-json" help:"Log in JSON."`
}

// stopTimeout bounds how long the daemon takes to end.
const stopTimeout = 30 * time.Second

// garbage is how much of it, in percent of what is in use, may lie about. What thousands of devices said is in use for
// long: half of Go's default costs little time and saves a quarter of the memory.
const garbage = 50

// Run is the daemon: it ends with an interrupt and loads its configuration anew on SIGHUP.
func (c *runCmd) Run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	log := logger(c.Verbose, c.LogJSON)
	all, err := app.Collectors()
	if err != nil {
		return err
	}
	load := func() (*config.Config, error) {
		cfg, err := config.LoadWith(c.Config, config.Options{Schemes: app.Schemes(all)})
		if err != nil {
			return nil, err
		}
		for _, w := range cfg.Warnings {
			log.Warn("the configuration is allowed, but worth a look", "at", w)
		}
		return cfg, nil
	}
	cfg, err := load()
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		err := life(ctx, cfg, hup, load, log)
		if !errors.Is(err, app.ErrStore) {
			return err
		}
		log.Warn("the daemon starts anew by itself", "why", err)
		if next, err := load(); err == nil { // a mistake in the configuration is no reason to watch no more
			cfg = next
		}
	}
}

// life is one life of the daemon, from its start to its end.
func life(ctx context.Context, cfg *config.Config, hup <-chan os.Signal, load func() (*config.Config, error), log *slog.Logger) error {
	a, err := app.New(app.Options{Config: cfg, Version: version, Log: log})
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	fmt.Println(a.URL())
	manager := underSystemd()
	manager.tell("READY=1", fmt.Sprintf("STATUS=watches %s; page on %s", term.Count(len(cfg.Devices), "device"), a.URL()))
	err = serve(ctx, a, manager, hup, func() error {
		cfg, err := load()
		if err == nil {
			err = a.Reload(ctx, cfg)
		}
		return err
	}, log)
	if !errors.Is(err, app.ErrStore) { // then it goes on
		manager.tell("STOPPING=1")
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if stopped := a.Stop(end); err == nil {
		err = stopped
	}
	return err
}

// serve waits for the end, and reloads when it is told to. A configuration that cannot be loaded changes nothing. As long as
// the daemon judges, its manager is told so.
func serve(ctx context.Context, a *app.App, manager systemd, hup <-chan os.Signal, reload func() error, log *slog.Logger) error {
	pulse, stop := manager.pulse()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-a.Failed():
			return err
		case <-pulse:
			if !errors.Is(a.Healthy(), app.ErrStuck) {
				manager.tell("WATCHDOG=1")
			}
		case <-hup:
			if err := reload(); err != nil {
				a.ReloadFailed()
				log.Error("the configuration was not loaded; the one before stays", "error", err)
			}
		}
	}
}

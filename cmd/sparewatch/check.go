package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/term"
)

type checkCmd struct {
	Config   string `help:"Configuration: a YAML file, or a folder of them." required:"" type:"path" placeholder:"FILE" env:"SPAREWATCH_CONFIG"`
	Mistakes bool   `help:"Only look for mistakes: print nothing and exit 0 where there are none."`
	Pin      bool   `help:"Ask the devices for their certificates, show them, and pin those that nothing vouches for."`
	Last     bool   `help:"Also hold the topology against what the devices showed last, out of the state folder or from the running daemon."`
	// Against compares what the topology is worth with what it was.
	Against  string `help:"An older configuration: say what gains or loses spares by the change, which single points of failure appear, and what can no longer carry its load. Exit 1 where something gets worse." type:"path" placeholder:"OLD"`
	Markdown bool   `help:"With --against: print a comment for a pull request."`
	JSON     bool   `help:"Print one JSON object."`
	All      bool   `help:"List everything, also what is fine."`
	daemonFlags
}

// loadConfig reads a configuration for the collectors that there are.
func loadConfig(path string) (*config.Config, error) {
	all, err := app.Collectors()
	if err != nil {
		return nil, err
	}
	return config.LoadWith(path, config.Options{Schemes: app.Schemes(all)})
}

// Run prints every mistake, what is worth a look, and what the topology says by itself.
func (c *checkCmd) Run(ctx context.Context) error {
	if _, err := os.Stat(c.Config); errors.Is(err, fs.ErrNotExist) {
		return hinted(fmt.Errorf("%s: there is no such file or folder", c.Config), "configs/sparewatch.yaml is one to start from")
	}
	cfg, err := loadConfig(c.Config)
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			fmt.Fprintln(os.Stderr, m)
		}
		return answered(api.BadNews)
	}
	if err != nil {
		return err
	}
	if err := app.Preflight(cfg); err != nil {
		return refused(c.Config, err)
	}
	if c.Mistakes {
		return nil
	}
	if c.Against != "" {
		return c.against(cfg)
	}
	if c.JSON {
		return c.designJSON(cfg)
	}
	p := stdout(c.All)
	targets := 0
	for _, d := range cfg.Devices {
		targets += len(d.Targets)
	}
	p.Line("%s: no mistakes. %s with %s, %s.", c.Config, term.Count(len(cfg.Devices), "device"), term.Count(targets, "target"), term.Count(len(cfg.Model.Services), "service"))
	for _, w := range cfg.Warnings {
		p.Line("worth a look: %s", w)
	}
	report, err := app.Design(cfg, time.Now())
	if err != nil {
		return err
	}
	bad := p.Design(report)
	if c.Last {
		wrong, err := c.last(ctx, cfg, p)
		if err != nil {
			return err
		}
		bad = bad || wrong
	}
	if c.Pin {
		changed, err := pin(ctx, cfg)
		if err != nil {
			return err
		}
		bad = bad || changed
	}
	if err := p.Err(); err != nil {
		return err
	}
	if bad {
		return answered(api.BadNews)
	}
	return nil
}

// refused prints what a daemon would not start with.
func refused(config string, err error) error {
	var mistake *mibs.Error
	if errors.As(err, &mistake) { // each line begins with its file and line
		fmt.Fprintln(os.Stderr, err)
		return answered(api.BadNews)
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", config, strings.TrimSpace(line))
	}
	return answered(api.BadNews)
}

// designJSON prints what the topology says by itself as one JSON object.
func (c *checkCmd) designJSON(cfg *config.Config) error {
	report, err := app.Design(cfg, time.Now())
	if err != nil {
		return err
	}
	if err := printJSON(report); err != nil {
		return err
	}
	for i := range report.Findings {
		if report.Findings[i].Rule == finding.FalseRedundancy {
			return answered(api.BadNews)
		}
	}
	return nil
}

// pin shows the certificates and writes those that nothing vouches for. A changed one is left to a person.
func pin(ctx context.Context, cfg *config.Config) (changed bool, err error) {
	p := stdout(false)
	p.Heading("Certificates")
	write := map[string]string{}
	for _, at := range app.Pins(ctx, cfg) {
		switch at.State {
		case app.Unreachable:
			p.Line("  %s  %s: %v", at.Device, at.State, at.Err)
		case app.PinChanged:
			changed = true
			p.Line("  %s  %s: %s shows sha256:%s, and another one is pinned. If the device was changed on purpose, take its line out of %s and run this again.", at.Device, at.State, at.URL, at.Fingerprint, cfg.Pins.File)
		case app.Unpinned:
			write[at.URL] = at.Fingerprint
			p.Line("  %s  pinned now: %s sha256:%s", at.Device, at.URL, at.Fingerprint)
		default:
			p.Line("  %s  %s: %s sha256:%s", at.Device, at.State, at.URL, at.Fingerprint)
		}
	}
	if len(write) == 0 {
		return changed, p.Err()
	}
	if err := config.WritePins(cfg.Pins.File, write); err != nil {
		return changed, err
	}
	p.Line("%d written to %s. A pin trusts what was seen now: compare the fingerprints where somebody could be in between.", len(write), cfg.Pins.File)
	return changed, p.Err()
}

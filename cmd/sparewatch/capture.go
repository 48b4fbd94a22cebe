package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/capture"
	"github.com/sparewatch/sparewatch/pkg/config"
)

type captureCmd struct {
	URL     string        `arg:"" help:"redfish://HOST[:PORT] or snmp://HOST[:PORT]."`
	Output  string        `short:"o" help:"File to write." required:"" type:"path" placeholder:"FILE"`
	Timeout time.Duration `help:"Give up after this long." default:"30m"`
	loginFlags
}

// Run records the device. The file is there as a whole or not at all.
func (c *captureCmd) Run(ctx context.Context) (err error) {
	all, err := app.Collectors()
	if err != nil {
		return err
	}
	target, err := c.target(c.URL, config.Options{Schemes: app.Schemes(all)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	defer waiting(target.URL, c.Timeout)()
	f, err := os.CreateTemp(filepath.Dir(c.Output), filepath.Base(c.Output)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()           // it is thrown away
			_ = os.Remove(f.Name()) // as above
		}
	}()
	sum, err := capture.Device(ctx, target, f)
	if err != nil {
		return fmt.Errorf("capture %s: %w", target.URL, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), c.Output); err != nil {
		return err
	}
	fmt.Printf("%s: %d items in %d requests; names, serials, addresses and secrets are pseudonyms. Read it before you give it away.\n", c.Output, sum.Items, sum.Requests)
	if n := len(sum.Missing); n > 0 {
		fmt.Fprintf(os.Stderr, "sparewatch: the device did not give %d things; the first: %s: %v\n", n, sum.Missing[0].At, sum.Missing[0].Err)
	}
	return nil
}

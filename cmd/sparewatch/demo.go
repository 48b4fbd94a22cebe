package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
)

type demoCmd struct {
	Listen  string  `help:"Address of the status page; where it is taken, any free port." default:"127.0.0.1:9620"`
	Once    bool    `help:"End with the script; exit 1 where the daemon missed something."`
	Speed   float64 `help:"How many times faster the script runs." default:"1"`
	All     bool    `help:"Sum nothing up."`
	Verbose bool    `short:"v" help:"Show the daemon's log."`
}

// Run plays the demo.
func (c *demoCmd) Run(ctx context.Context) error {
	if c.Speed <= 0 {
		return errors.New("--speed must be greater than 0")
	}
	log := slog.New(slog.DiscardHandler)
	if c.Verbose {
		log = logger(true, false)
	}
	d := &app.Demo{Out: stdout(c.All), Listen: c.Listen, Speed: c.Speed, Once: c.Once, Version: version, Program: os.Args[0], Log: log}
	err := d.Run(ctx)
	if errors.Is(err, app.ErrUnseen) {
		return answered(api.BadNews)
	}
	if err == nil && ctx.Err() != nil {
		fmt.Println("Interrupted; everything was stopped.")
	}
	return err
}

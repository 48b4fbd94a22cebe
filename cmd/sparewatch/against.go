package main

import (
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/term"
)

// against compares a checked configuration with an older one, for whoever reads a pull request.
func (c *checkCmd) against(cfg *config.Config) error {
	old, err := loadConfig(c.Against)
	if err != nil {
		return err
	}
	compared, err := app.Against(old, cfg, time.Now())
	if err != nil {
		return err
	}
	err = show(compared, c.JSON, c.All, func(p *term.Printer) {
		if c.Markdown {
			p.ComparisonMarkdown(compared)
		} else {
			p.Comparison(compared)
		}
	})
	if err == nil && compared.Worse {
		return answered(api.BadNews)
	}
	return err
}

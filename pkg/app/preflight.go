package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/config"
)

// Preflight says what a daemon would not start with in a configuration that was read without mistakes: targets that their
// collector does not take, SNMP profiles, the web server's file. It does no network traffic. Its error joins one for each.
func Preflight(cfg *config.Config) error {
	all, err := Collectors(cfg.Profiles)
	if err != nil {
		return err
	}
	var wrong []error
	for _, t := range targets(cfg) {
		scheme, _, _ := strings.Cut(t.URL, "://")
		if _, err := all[scheme].Open(t.Target); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", t.Device, err))
		}
	}
	if _, err := checkWeb(cfg.Web.TLSConfig); err != nil {
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

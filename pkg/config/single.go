package config

import (
	"fmt"

	"github.com/sparewatch/sparewatch/collectors"
)

// Single reads the URL of one device for a command that works without a configuration. The device's name is the URL's
// host; a community in the URL is taken out of it and into the target's credentials. No error shows a secret.
func Single(raw string, o Options) (collectors.Target, error) {
	t, why, instead := (&loader{o: o}).parseTarget(raw)
	if why != "" {
		return collectors.Target{}, fmt.Errorf("%s: %s", why, instead)
	}
	return collectors.Target{Device: t.host, URL: t.url, Credentials: collectors.Credentials{Community: t.community}}, nil
}

package config

import "errors"

// Load reads a file, or every *.yaml and *.yml of a folder in the order of their names, as one configuration. Its error
// is a Mistakes where the configuration is wrong.
func Load(path string) (*Config, error) {
	return nil, errors.New("reading configurations is not built yet")
}

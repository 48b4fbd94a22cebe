package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const examples = "../../configs"

func example(t *testing.T, name string) *Config {
	t.Helper()
	c, err := LoadWith(filepath.Join(examples, name), Options{Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d examples (%v)", len(files), err)
	}
	for _, f := range files {
		for _, w := range example(t, filepath.Base(f)).Warnings {
			// The checkout does not keep the modes of the secrets' files.
			if !strings.Contains(w, "may be read by everybody") {
				t.Errorf("%s is warned about: %s", f, w)
			}
		}
	}
}

func TestTheManualSaysWhatItSeems(t *testing.T) {
	c := example(t, "sparewatch.yaml")
	if len(c.Devices) != 25 || len(c.Model.Services) != 3 || len(c.Model.Groups) != 2 || len(c.Notify) != 2 {
		t.Errorf("%d devices, %d services, %d groups, %d outlets", len(c.Devices), len(c.Model.Services), len(c.Model.Groups), len(c.Notify))
	}
	if c := example(t, "minimal.yaml"); len(c.Devices) != 14 || len(c.Model.Links) != 0 {
		t.Errorf("minimal: %d devices, %d links", len(c.Devices), len(c.Model.Links))
	}
	if c := example(t, "paths.yaml"); c.BGP == nil || len(c.BGP.Station.Routers) != 2 || len(c.Model.Links) < 8 {
		t.Errorf("paths: %+v, %d links", c.BGP, len(c.Model.Links))
	}
	if c := example(t, "rack.yaml"); len(c.Devices) != 16 || len(c.Model.Links) != 28 {
		t.Errorf("rack: %d devices, %d links", len(c.Devices), len(c.Model.Links))
	}
}

// TestTheManualHasEveryKey: each key that may be written stands in configs/sparewatch.yaml, used or explained.
func TestTheManualHasEveryKey(t *testing.T) {
	manual, err := os.ReadFile(filepath.Join(examples, "sparewatch.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`l\.mapping\([^"]*"[^"]*"(?:\+[a-z]+)?,([^)]*)\)|known :?= (?:append\(known, )?\[\]string\{([^}]*)\}|keys := \[\]string\{([^}]*)\}`)
	quotedKey := regexp.MustCompile(`"([a-z_0-9]+)"`)
	keys := 0
	var missing []string
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllSubmatch(code, -1) {
			for _, k := range quotedKey.FindAllSubmatch(slices.Concat(m[1], m[2], m[3]), -1) {
				keys++
				if !regexp.MustCompile(`(?m)(^|[\s{(])` + string(k[1]) + `\b`).Match(manual) {
					missing = append(missing, source+": "+string(k[1]))
				}
			}
		}
	}
	for _, list := range lists {
		keys++
		if !strings.Contains(string(manual), "  "+list.key+":") {
			missing = append(missing, list.key)
		}
	}
	if keys < 70 {
		t.Errorf("only %d keys found in the code: the test looks for them in the wrong way", keys)
	}
	if len(missing) > 0 {
		t.Errorf("not in the manual: %s", strings.Join(missing, ", "))
	}
}

// TestTheManualsDefaults: what is called the default is the default.
func TestTheManualsDefaults(t *testing.T) {
	manual, plain := example(t, "sparewatch.yaml"), good(t, "devices: [{name: a, kind: host}]\n")
	if manual.Poll != plain.Poll || manual.Web.Listen != plain.Web.Listen {
		t.Errorf("the manual says %+v %+v, the defaults are %+v %+v", manual.Poll, manual.Web, plain.Poll, plain.Web)
	}
	if !strings.HasSuffix(manual.Pins.File, "configs/sparewatch.pins") {
		t.Errorf("pins are in %s", manual.Pins.File)
	}
}

// TestThePagesExamplesLoad: each YAML example of the documentation is a configuration, or a part of one, that nothing is
// wrong with and nothing worth a look. Those of Prometheus' own configuration are left to Prometheus.
func TestThePagesExamplesLoad(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	fence, named := regexp.MustCompile("(?s)```yaml\n(.*?)```"), regexp.MustCompile(`secrets/[a-z.]+`)
	loaded := map[string]int{}
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllSubmatch(text, -1) {
			example := string(block[1])
			if strings.HasPrefix(example, "scrape_configs:") {
				continue
			}
			files := map[string]string{}
			for _, name := range named.FindAllString(example, -1) {
				files[name] = "an-example"
			}
			if !strings.Contains(example, "\ndevices:") && !strings.HasPrefix(example, "devices:") {
				files["devices.yaml"] = "devices: [{name: a, kind: host}]\n"
			}
			files["example.yaml"] = example
			c, err := LoadWith(write(t, files), Options{Getenv: getenv})
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, example)
			} else if len(c.Warnings) > 0 {
				t.Errorf("%s: %q\n%s", page, c.Warnings, example)
			}
			loaded[filepath.Base(page)]++
		}
	}
	if loaded["configuration.md"] < 5 || loaded["traps.md"] < 1 || loaded["influxdb.md"] < 2 {
		t.Errorf("few examples were found: %v", loaded)
	}
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// The pins file holds one certificate a line: the target's URL, and the SHA-256 of its certificate. It is no YAML, so that it may
// stand in the folder of the configuration; check --pin writes it, people may edit it.

const pinsHead = `# Certificates that are trusted by their SHA-256: a target's URL and "sha256:" with 64 hexadecimal digits.
# Written by sparewatch check --pin.
`

// ReadPins reads a pins file: fingerprint by URL. A file that does not exist holds none.
func ReadPins(path string) (map[string]string, error) {
	b := &book{}
	pins := b.pins(path)
	return pins, b.err(map[string]int{path: 0})
}

// WritePins adds pins (fingerprint by URL) to a pins file, in place of what was pinned for these URLs before. The file
// is replaced as a whole or not at all.
func WritePins(path string, pins map[string]string) error {
	all, err := ReadPins(path)
	if err != nil {
		return err
	}
	for url, f := range pins {
		normal := normalFingerprint(f)
		if normal == "" || strings.ContainsAny(url, " \t\r\n") || !strings.Contains(url, "://") {
			return fmt.Errorf("pin %s: %q is no SHA-256 of a certificate", withoutLogin(url), f)
		}
		all[url] = normal
	}
	var out bytes.Buffer
	out.WriteString(pinsHead)
	for _, url := range sortedKeys(all) {
		fmt.Fprintf(&out, "%s sha256:%s\n", url, all[url])
	}
	return replaceFile(path, out.Bytes())
}

// replaceFile writes a file beside the old one, syncs it and puts it in its place.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	tmp := f.Name()
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(tmp)))
	}
	return nil
}

// pins reads a pins file and takes down what is wrong in it.
func (b *book) pins(path string) map[string]string {
	pins := map[string]string{}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return pins
	}
	data, mistake := readFile(path, maxFile)
	if mistake != nil {
		b.wrong(place{path, 0}, mistake.Instead, "%s", mistake.What)
		return pins
	}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		at := place{path, i + 1}
		switch {
		case len(fields) != 2 || !strings.Contains(fields[0], "://"):
			b.wrong(at, "write redfish://HOST sha256:FINGERPRINT", "the line is no pin")
		case normalFingerprint(fields[1]) == "":
			b.wrong(at, "write sha256: and 64 hexadecimal digits", "the fingerprint of %s is no SHA-256", withoutLogin(fields[0]))
		case pins[fields[0]] != "":
			b.wrong(at, "take one of them out", "%s is pinned twice", fields[0])
		default:
			pins[fields[0]] = normalFingerprint(fields[1])
		}
	}
	return pins
}

func (l *loader) readPins() map[string]string {
	if _, ok := l.order[l.pinsFile]; !ok {
		l.order[l.pinsFile] = len(l.order)
	}
	return maps.Clone(l.pins(l.pinsFile))
}

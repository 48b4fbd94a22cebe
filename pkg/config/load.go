package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options adjust Load.
type Options struct {
	// Schemes are the URL schemes that there is a collector for. nil: all that there are.
	Schemes []string
	// Getenv looks up the environment; nil: os.Getenv.
	Getenv func(string) string
}

// Load reads a file, or every *.yaml and *.yml of a folder in the order of their names, as one configuration. Its error
// is a Mistakes where the configuration is wrong.
func Load(path string) (*Config, error) { return LoadWith(path, Options{}) }

// LoadWith is Load with options.
func LoadWith(path string, o Options) (*Config, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	files, err := find(path)
	if err != nil {
		return nil, err
	}
	l := newLoader(o, path, files)
	for _, f := range files {
		l.file(f)
	}
	if len(l.mistakes) == 0 && l.documents == 0 {
		l.wrong(place{path, 0}, "write at least:  devices: [redfish://10.0.0.1]", "it is empty")
	}
	l.build()
	if err := l.err(l.order); err != nil {
		return nil, err
	}
	l.cfg.Files = files
	l.cfg.Warnings = l.warningLines(l.order)
	return l.cfg, nil
}

// What may be read. Ten thousand devices, each written out, take two MB.
const (
	maxFile  = 4 << 20
	maxTotal = 32 << 20
	maxFiles = 1000
)

// find lists the files of a configuration.
func find(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, Mistakes{{File: path, What: "there is no such file or folder", Instead: "give the configuration with --config FILE"}}
	case err != nil:
		return nil, Mistakes{{File: path, What: plain(err), Instead: "make it readable for the user that runs sparewatch"}}
	case !info.IsDir():
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, Mistakes{{File: path, What: plain(err), Instead: "make it readable for the user that runs sparewatch"}}
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		if ext := filepath.Ext(name); (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(name, ".") && !e.IsDir() {
			files = append(files, filepath.Join(path, name))
		}
	}
	switch {
	case len(files) == 0:
		return nil, Mistakes{{File: path, What: "the folder holds no .yaml file", Instead: "put the configuration there as NAME.yaml"}}
	case len(files) > maxFiles:
		return nil, Mistakes{{File: path, What: fmt.Sprintf("the folder holds %d files, more than %d", len(files), maxFiles), Instead: "join some of them"}}
	}
	slices.Sort(files)
	return files, nil
}

// file reads one file and takes in its documents.
func (l *loader) file(path string) {
	data, mistake := readFile(path, maxFile)
	if mistake == nil && l.read+len(data) > maxTotal {
		mistake = &Mistake{What: fmt.Sprintf("the configuration is larger than %d MB in all", maxTotal>>20), Instead: "use ranges such as srv-[101-112]"}
	}
	if mistake != nil {
		mistake.File = path
		l.mistakes = append(l.mistakes, *mistake)
		return
	}
	l.read += len(data)
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := decode(dec, &doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			l.mistakes = append(l.mistakes, notYAML(path, data, err))
			return
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
			l.document(l.child(doc.Content[0], path))
		}
	}
}

// decode keeps a panic of the parser from being ours.
func decode(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return dec.Decode(doc)
}

// readFile reads a regular file of at most most bytes.
func readFile(path string, most int64) ([]byte, *Mistake) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, &Mistake{What: plain(err), Instead: "put it there, or make it readable for the user that runs sparewatch"}
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, &Mistake{What: plain(err)}
	case !info.Mode().IsRegular():
		return nil, &Mistake{What: "it is no file but " + sort(info.Mode()), Instead: "name a file"}
	case info.Size() > most:
		return nil, &Mistake{What: fmt.Sprintf("it is larger than %s", size(most)), Instead: "use ranges such as srv-[101-112], or a folder of files"}
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, &Mistake{What: plain(err)}
	case int64(len(data)) > most:
		return nil, &Mistake{What: fmt.Sprintf("it is larger than %s", size(most))}
	}
	return data, nil
}

func sort(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	}
	return "a device"
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", n>>10)
}

// plain is the error without the operation and the path, which stand before it already.
func plain(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:[a-z]+ error: )?(?:line ([0-9]+): )?(?s)(.*)$`)

// noLine are the parser's complaints that stand for the whole file.
var noLine = regexp.MustCompile(`control characters|unknown anchor|UTF-|octet|exceeded|invalid Unicode`)

// notYAML says in one line what the parser found, with what is mostly behind it.
func notYAML(path string, data []byte, err error) Mistake {
	m := Mistake{File: path, Instead: "see configs/sparewatch.yaml for how it is written"}
	parts := yamlLine.FindStringSubmatch(strings.TrimSpace(err.Error()))
	m.Line, _ = strconv.Atoi(parts[1])
	what, _, _ := strings.Cut(parts[2], "\n")
	// The parser counts lines from 0 where its grammar fails, from 1 where its scanner fails, and leaves out a 0.
	if strings.HasPrefix(what, "did not find expected") || (m.Line == 0 && !noLine.MatchString(what)) {
		m.Line++
	}
	m.What = "not YAML: " + what
	lines := bytes.Split(data, []byte("\n"))
	tab := slices.IndexFunc(lines, indentedByTab)
	switch {
	case bytes.IndexByte(data, 0) >= 0:
		return Mistake{File: path, What: "not YAML: it holds bytes that are no text", Instead: "give a text file"}
	case strings.Contains(what, "cannot start any token") && tab >= 0:
		return Mistake{File: path, Line: tab + 1, What: "a tab stands where YAML wants spaces", Instead: "indent with spaces"}
	case strings.Contains(what, "unknown anchor"):
		// The name behind * may be a secret that begins so.
		m.What = "not YAML: an alias (*name) to an anchor that is not there"
		m.Instead = "put a value that begins with * in quotes, or define the anchor (&name) before it"
	case bracketsInBraces(lines, m.Line):
		m.Instead = "put names with [ ] in quotes where they stand in { } or [ ]"
	case strings.Contains(what, "mapping values are not allowed"):
		m.Instead = "put a value that holds \": \" in quotes, and check the indentation"
	}
	return m
}

func indentedByTab(line []byte) bool {
	rest := bytes.TrimLeft(line, " ")
	return len(rest) > 0 && rest[0] == '\t' && len(bytes.TrimSpace(rest)) > 0
}

// bracketsInBraces reports whether the line, or the one before it, has a bare "x[1-2]" within { }.
func bracketsInBraces(lines [][]byte, line int) bool {
	for _, i := range []int{line - 2, line - 1, line} {
		if i >= 0 && i < len(lines) && bareRange.Match(lines[i]) {
			return true
		}
	}
	return false
}

var bareRange = regexp.MustCompile(`[{,\[][^"']*[A-Za-z0-9._/-]\[[^"']*\]`)

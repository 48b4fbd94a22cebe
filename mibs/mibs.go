// Package mibs gives what is known of SNMP devices, as data: profiles that say which OIDs a family of devices has, which
// number of which enumeration means what, in which unit and scale, and what stands behind what.
//
// It neither talks to devices nor turns values into components (collectors/snmp does both). Profiles are YAML files in
// the folder profiles; users add their own from a folder of theirs. README.md describes the language. A profile that
// was loaded is checked: every mistake is reported in one go, with its file and line.
package mibs

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed profiles
var embedded embed.FS

// Embedded holds the profiles that come with the program.
func Embedded() fs.FS {
	sub, err := fs.Sub(embedded, "profiles")
	if err != nil {
		panic(err) // the folder is there when this compiles
	}
	return sub
}

// Error is one mistake in a profile.
type Error struct {
	File string
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Source is a folder of profiles, with the name under which its files are shown in errors. A profile of a later source
// takes the place of an earlier one's of the same name.
type Source struct {
	Name string
	FS   fs.FS
}

// Set is the profiles that are known, highest priority first, the standard ones last.
type Set struct {
	Profiles []*Profile
	present  []string
}

type loader struct {
	kinds     map[string]bool
	errs      *problems
	profiles  map[string]*document
	fragments map[string]*document
}

// maxFile bounds one profile file.
const maxFile = 1 << 20

// Load reads every *.yaml and *.yml file of the sources. kinds are the kinds of component that a profile may name; nil
// allows any. The error joins all mistakes, each an *Error.
func Load(kinds []string, sources ...Source) (*Set, error) {
	l := &loader{errs: &problems{}, profiles: map[string]*document{}, fragments: map[string]*document{}}
	if kinds != nil {
		l.kinds = map[string]bool{}
		for _, k := range kinds {
			l.kinds[k] = true
		}
	}
	for _, src := range sources {
		if err := l.source(src); err != nil {
			return nil, err
		}
	}
	set := l.resolve()
	if len(l.errs.list) > 0 {
		slices.SortStableFunc(l.errs.list, func(a, b error) int {
			var x, y *Error
			if errors.As(a, &x) && errors.As(b, &y) {
				return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
			}
			return 0
		})
		return nil, errors.Join(l.errs.list...)
	}
	return set, nil
}

func (l *loader) source(src Source) error {
	mine := map[string]string{}
	return fs.WalkDir(src.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read profiles: %w", err)
		}
		if ext := path.Ext(name); d.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		f, err := src.FS.Open(name)
		if err != nil {
			return fmt.Errorf("read profiles: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil {
			return fmt.Errorf("read profiles: %w", err)
		}
		l.file(path.Join(src.Name, name), b, mine)
		return nil
	})
}

// file takes in the documents of one file.
func (l *loader) file(name string, b []byte, mine map[string]string) {
	r := reader{file: name, errs: l.errs}
	if len(b) > maxFile {
		r.errorf(nil, "the file is larger than %d bytes", maxFile)
		return
	}
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			l.errs.add(&Error{File: name, Line: yamlLine(err), Text: strings.TrimPrefix(err.Error(), "yaml: ")})
			return
		}
		if len(n.Content) == 0 || !r.plain(&n, 0) {
			continue
		}
		l.document(r, n.Content[0], mine)
	}
}

// yamlLine finds the line in "yaml: line 3: ...".
func yamlLine(err error) int {
	var line int
	_, tail, _ := strings.Cut(err.Error(), "line ")
	if _, err := fmt.Sscanf(tail, "%d", &line); err != nil {
		return 0
	}
	return line
}

// plain refuses anchors' aliases, which could make a small file endless, and mappings that are too deep.
func (r reader) plain(n *yaml.Node, depth int) bool {
	if n.Kind == yaml.AliasNode {
		r.errorf(n, "aliases (*%s) are not for profiles; name a map once under \"enums\", or include a fragment", n.Value)
		return false
	}
	if depth > 40 {
		r.errorf(n, "nested too deep")
		return false
	}
	ok := true
	for _, c := range n.Content {
		ok = r.plain(c, depth+1) && ok
	}
	return ok
}

func (l *loader) document(r reader, root *yaml.Node, mine map[string]string) {
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	f := r.fields(root, "a profile")
	if f.node == nil {
		return
	}
	d := &document{r: r, root: root, line: root.Line, include: r.list(f.take("include"))}
	into := l.profiles
	if n := f.take("fragment"); n != nil {
		d.name, d.fragment, into = r.str(n, "fragment"), true, l.fragments
	} else {
		d.name = r.str(f.take("profile"), "profile")
	}
	if d.name == "" {
		r.errorf(root, "begin with \"profile: name\" (or \"fragment: name\")")
		return
	}
	if first, ok := mine[d.name]; ok {
		r.errorf(root, "%s is defined in %s already", d.name, first)
		return
	}
	mine[d.name] = r.file
	into[d.name] = d
}

func (l *loader) resolve() *Set {
	set := &Set{}
	for _, d := range l.profiles {
		set.Profiles = append(set.Profiles, l.profile(d))
	}
	for _, d := range l.fragments {
		if !d.used {
			l.profile(d)
		}
	}
	slices.SortFunc(set.Profiles, func(a, b *Profile) int {
		if a.Standard != b.Standard {
			if a.Standard {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	for _, p := range set.Profiles {
		for _, name := range p.Replaces {
			if l.profiles[name] == nil {
				l.errs.add(&Error{File: p.File, Line: p.Line, Text: fmt.Sprintf("replaces %q, which is no profile", name)})
			}
		}
		for _, m := range p.Matches {
			for _, o := range append(slices.Clone(m.Present), m.Absent...) {
				if !slices.Contains(set.present, o) {
					set.present = append(set.present, o)
				}
			}
		}
	}
	slices.Sort(set.present)
	return set
}

// Presence lists the OIDs whose presence some profile asks for.
func (s *Set) Presence() []string { return slices.Clone(s.present) }

// System is what a device says of itself first.
type System struct {
	ObjectID string // no leading dot
	Descr    string
	Name     string
	Present  map[string]bool // of the OIDs of Set.Presence
}

// Match lists the profiles that speak of the device, in the order in which they are read.
func (s *Set) Match(sys System) []*Profile {
	var out []*Profile
	replaced := map[string]bool{}
	for _, p := range s.Profiles {
		if slices.ContainsFunc(p.Matches, func(m Match) bool { return m.Holds(sys) }) {
			out = append(out, p)
			for _, name := range p.Replaces {
				replaced[name] = true
			}
		}
	}
	return slices.DeleteFunc(out, func(p *Profile) bool { return replaced[p.Name] })
}

// Holds reports whether the device is of the match's sort.
func (m Match) Holds(sys System) bool {
	if len(m.SysObjectID) > 0 && !slices.ContainsFunc(m.SysObjectID, func(o string) bool { return Under(sys.ObjectID, o) }) {
		return false
	}
	if m.SysDescr != nil && !m.SysDescr.MatchString(sys.Descr) {
		return false
	}
	for _, o := range m.Present {
		if !sys.Present[o] {
			return false
		}
	}
	for _, o := range m.Absent {
		if sys.Present[o] {
			return false
		}
	}
	return true
}

// Under reports whether oid is prefix or lies below it.
func Under(oid, prefix string) bool {
	return strings.HasPrefix(oid, prefix) && (len(oid) == len(prefix) || oid[len(prefix)] == '.')
}

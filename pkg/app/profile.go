package app

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/term"
)

// TryProfile reads a recording by the profiles of a file, beside those that come with the program. Mistakes in the file
// are *mibs.Error, joined.
func TryProfile(file, against string) (*term.Trial, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file: name one file of profiles", file)
	case filepath.Ext(file) != ".yaml" && filepath.Ext(file) != ".yml":
		return nil, fmt.Errorf("%s would not be read: a file of profiles is called NAME.yaml", file)
	}
	dir, base := filepath.Split(file)
	set, err := snmp.Builtin(mibs.Source{Name: filepath.ToSlash(dir), FS: oneFile{os.DirFS(filepath.Clean(dir)), base}})
	if err != nil {
		return nil, err
	}
	rec, err := recording.Load(against)
	if err != nil {
		return nil, err
	}
	if rec.Format == recording.Redfish {
		return nil, fmt.Errorf("%s is a recording of a Redfish service: profiles are for SNMP", against)
	}
	device := filepath.Base(against)
	device = device[:len(device)-len(filepath.Ext(device))]
	tried, err := snmp.Try(device, set, rec.SNMP, "")
	if err != nil {
		return nil, err
	}
	t := &term.Trial{File: file, Recording: against, System: tried.System, Inspection: api.Inspect(tried.Snapshot), Skipped: len(rec.Problems)}
	from := filepath.ToSlash(filepath.Clean(file))
	var mine []*mibs.Profile
	for _, p := range set.Profiles {
		matches := slices.Contains(tried.Profiles, p)
		switch {
		case p.File == from && matches:
			mine = append(mine, p)
		case p.File == from:
			t.Others = append(t.Others, p.Name)
		}
	}
	for _, p := range tried.Profiles {
		parts := map[component.ID]bool{}
		for _, u := range tried.Parsed.Uses {
			if u.Profile == p.Name && u.Component != "" {
				parts[u.Component] = true
			}
		}
		t.Profiles = append(t.Profiles, term.TrialProfile{Profile: p, Mine: slices.Contains(mine, p), Parts: len(parts)})
	}
	t.Missing = missing(mine, snmp.FromVarbinds(snmp.Varbinds(rec.SNMP), mine))
	return t, nil
}

// oneFile is a folder of which only one file is seen.
type oneFile struct {
	fs.FS
	name string
}

func (o oneFile) ReadDir(string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(o.FS, o.name)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}

// missing are the objects that profiles name and of which nothing was read.
func missing(profiles []*mibs.Profile, data *snmp.Data) (none []mibs.Object) {
	for _, p := range profiles {
		for _, o := range p.Scalars {
			if _, ok := data.Scalars[o.OID]; !ok {
				none = append(none, o)
			}
		}
		for _, t := range p.Tables {
			for _, o := range t.Columns {
				if len(data.Columns[o.OID]) == 0 {
					none = append(none, o)
				}
			}
		}
	}
	return none
}

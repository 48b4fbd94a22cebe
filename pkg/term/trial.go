package term

import (
	"fmt"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/api"
)

// Trial is what a file of profiles makes of a recording.
type Trial struct {
	File, Recording string
	System          mibs.System
	Inspection      *api.Inspection
	Profiles        []TrialProfile // that match, in the order in which they are read
	Others          []string       // the names of the file's profiles that do not match
	Missing         []mibs.Object  // what the file's profiles name and the recording does not have
	Skipped         int            // the recording's lines that could not be read
}

// TrialProfile is one profile that matches.
type TrialProfile struct {
	*mibs.Profile
	Mine  bool // it is of the file
	Parts int  // for how many parts its objects speak
}

// Matches reports whether any of the file's profiles does.
func (t *Trial) Matches() bool {
	for _, pr := range t.Profiles {
		if pr.Mine {
			return true
		}
	}
	return false
}

// Trial prints which profiles read a recorded device, what they make of it, and what of theirs it doesn't have.
func (p *Printer) Trial(t *Trial) {
	p.Line("%s", p.paint(strong, identity(t.Inspection)+" "+verdict(t.Inspection)))
	p.Line("%s", p.paint(dim, fmt.Sprintf("%s: sysObjectID %s, sysDescr %q", t.Recording, orNone(t.System.ObjectID), clean(t.System.Descr))))
	if t.Skipped > 0 {
		p.Line("%s", p.paint(warning, Count(t.Skipped, "line")+" of the recording could not be read"))
	}
	p.Heading("Profiles")
	var rows [][]cell
	for _, pr := range t.Profiles {
		from := cell{"built in", dim}
		if pr.Mine {
			from = cell{t.File, normal}
		}
		rows = append(rows, []cell{{"✓ matches", good}, {pr.Name, normal}, from, text("%s", Count(pr.Parts, "part"))})
	}
	for _, name := range t.Others {
		rows = append(rows, []cell{{"- does not match", warning}, {name, normal}, {t.File, normal}})
	}
	p.rows(rows)
	if !t.Matches() {
		return
	}
	p.content(t.Inspection)
	if links := t.Inspection.Links; len(links) > 0 {
		p.Heading("Links")
		rows = nil
		for _, l := range links {
			if len(rows) == 2*fold && !p.o.All && len(links) > len(rows)+1 {
				rows = append(rows, []cell{{fmt.Sprintf("and %d more (--all)", len(links)-len(rows)), dim}})
				break
			}
			rows = append(rows, []cell{text("%s", local(l.From)), {string(l.Kind), dim}, text("%s", local(l.To))})
		}
		p.rows(rows)
	}
	if len(t.Missing) > 0 {
		p.Heading("Named by the profile, but not in the recording")
		rows = nil
		for _, o := range t.Missing {
			rows = append(rows, []cell{{o.Name, normal}, {o.OID, dim}})
		}
		p.rows(rows)
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

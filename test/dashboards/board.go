// Package dashboards checks what is handed to people beside the program: dashboards, rules and runbooks.
package dashboards

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Board is what of a Grafana dashboard says what is asked and how it is shown.
type Board struct {
	File        string  `json:"-"`
	UID         string  `json:"uid"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Panels      []Panel `json:"panels"`
	Templating  struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// Panel is one picture.
type Panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
		Instant      bool   `json:"instant"`
	} `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Unit       string    `json:"unit"`
			Thresholds threshold `json:"thresholds"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

type threshold struct {
	Steps []struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"`
	} `json:"steps"`
}

// root is where the dashboards stand.
const root = "../../dashboards"

// boards reads all dashboards.
func boards() ([]Board, error) {
	files, err := filepath.Glob(filepath.Join(root, "grafana", "sparewatch", "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Board
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		b := Board{File: filepath.Base(f)}
		if err := json.Unmarshal(text, &b); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

var variable = regexp.MustCompile(`\$\{?([a-z_]+)\}?`)

// query is a panel's expression with the dashboard's variables at their defaults: a text as it stands, a list as all.
func (b *Board) query(expr string) string {
	return variable.ReplaceAllStringFunc(expr, func(v string) string {
		name := variable.FindStringSubmatch(v)[1]
		for _, one := range b.Templating.List {
			if one.Name != name {
				continue
			}
			if text, ok := one.Query.(string); ok && one.Type == "textbox" {
				return text
			}
			return ".*"
		}
		return v
	})
}

// selector is a metric with the labels that an expression names for it.
type selector struct {
	metric string
	labels []string
}

var (
	selectors = regexp.MustCompile(`\b((?:sparewatch|process|go)_[a-z0-9_]+|sparewatch:[a-z_:]+)(\{(?:[^}"]|"(?:[^"\\]|\\.)*")*\})?`)
	matchers  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping  = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
)

// selectorsOf lists the metrics of an expression. Names within quotes, and labels that bear a metric's name, are none.
func selectorsOf(expr string) (all []selector) {
	bare := grouping.ReplaceAllString(expr, "")
	for _, m := range selectors.FindAllStringSubmatchIndex(bare, -1) {
		s := selector{metric: bare[m[2]:m[3]]}
		if m[4] >= 0 {
			for _, l := range matchers.FindAllStringSubmatch(bare[m[4]:m[5]], -1) {
				s.labels = append(s.labels, l[1])
			}
		}
		all = append(all, s)
	}
	return all
}

// groupedBy lists the labels by which an expression groups.
func groupedBy(expr string) (labels []string) {
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			if l = strings.TrimSpace(l); l != "" {
				labels = append(labels, l)
			}
		}
	}
	return labels
}

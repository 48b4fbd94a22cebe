package dashboards

import (
	"flag"
	"fmt"
	"html/template"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var pictures = flag.Bool("pictures", false, "draw what each panel shows into docs/dashboards")

// draw writes a picture of each dashboard: its panels where Grafana puts them, with what their queries answered. It is no
// Grafana: lines, numbers and tables only.
func (s *site) draw(t *testing.T, all []Board) {
	s.t = t
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed to draw pictures (Debian package chromium)")
	}
	dir := filepath.Join("..", "..", "docs", "dashboards")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		height := 0
		var cells []cell
		for _, p := range b.Panels {
			height = max(height, (p.GridPos.Y+p.GridPos.H)*unitHeight)
			cells = append(cells, s.cell(&b, p))
		}
		page := filepath.Join(t.TempDir(), "page.html")
		f, err := os.Create(page)
		if err != nil {
			t.Fatal(err)
		}
		if err := sheet.Execute(f, map[string]any{"Title": b.Title, "About": b.Description, "Cells": cells}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		out, err := filepath.Abs(filepath.Join(dir, strings.TrimSuffix(b.File, ".json")+".png"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--screenshot="+out,
			fmt.Sprintf("--window-size=%d,%d", 24*unitWidth+20, height+90), "file://"+page)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
	}
}

// Size of a cell of Grafana's grid in pixels.
const (
	unitWidth  = 50
	unitHeight = 30
)

// cell is a panel as it is drawn.
type cell struct {
	Title      string
	X, Y, W, H int
	Number     string
	Color      string
	Chart      template.HTML
	Head       []string
	Rows       [][]string
	Legend     []entry
}

type entry struct{ Color, Text string }

func (s *site) cell(b *Board, p Panel) cell {
	c := cell{Title: p.Title, X: p.GridPos.X * unitWidth, Y: p.GridPos.Y * unitHeight, W: p.GridPos.W*unitWidth - 8, H: p.GridPos.H*unitHeight - 8}
	var lines []series
	var names []string
	for _, q := range p.Targets {
		for _, one := range s.ask(b.query(q.Expr)) {
			lines, names = append(lines, one), append(names, legend(q.LegendFormat, one.Metric))
		}
	}
	switch p.Type {
	case "stat":
		c.Number, c.Color = number(lines, p)
	case "table":
		c.Head, c.Rows = table(lines, p)
	case "state-timeline":
		c.Chart = timeline(lines, names, c.W-16, c.H-40)
	case "timeseries":
		c.Chart, c.Legend = chart(lines, names, p.FieldConfig.Defaults.Unit, c.W-16, c.H-70)
	}
	return c
}

func legend(format string, labels map[string]string) string {
	for l, v := range labels {
		format = strings.ReplaceAll(format, "{{"+l+"}}", v)
	}
	return missing.ReplaceAllString(format, "")
}

var missing = regexp.MustCompile(`{{[a-z_]+}}`)

func last(s series) float64 {
	_, v := s.numbers()
	if len(v) == 0 {
		return math.NaN()
	}
	return v[len(v)-1]
}

// number is a stat's text at the end of the play, and its color.
func number(lines []series, p Panel) (text, color string) {
	if len(lines) == 0 {
		return "not known", "#666"
	}
	v := last(lines[0])
	color = "#666"
	for _, st := range p.FieldConfig.Defaults.Thresholds.Steps {
		if st.Value == nil || v >= *st.Value {
			color = map[string]string{"green": "#2e7d32", "yellow": "#b58900", "orange": "#d35400", "red": "#c62828", "blue": "#1565c0"}[st.Color]
		}
	}
	return amount(v, p.FieldConfig.Defaults.Unit), color
}

func amount(v float64, unit string) string {
	switch {
	case math.IsNaN(v):
		return "not known"
	case unit == "percentunit":
		return fmt.Sprintf("%.0f %%", v*100)
	case unit == "s" && v >= 120:
		return fmt.Sprintf("%.0f min", v/60)
	case unit == "s":
		return fmt.Sprintf("%.3g s", v)
	}
	return fmt.Sprintf("%.4g%s", v, map[string]string{"watt": " W", "amp": " A", "volt": " V", "ops": "/s"}[unit])
}

// table has the rows that were there at any time, with their last value; what Grafana would show at one moment is among
// them.
func table(lines []series, p Panel) (head []string, rows [][]string) {
	hidden := []string{"__name__", "instance", "job"}
	for _, one := range lines {
		for l := range one.Metric {
			if !slices.Contains(hidden, l) && !slices.Contains(head, l) {
				head = append(head, l)
			}
		}
	}
	slices.Sort(head)
	for _, one := range lines {
		var row []string
		for _, l := range head {
			row = append(row, one.Metric[l])
		}
		rows = append(rows, append(row, amount(last(one), p.FieldConfig.Defaults.Unit)))
	}
	most := (p.GridPos.H*unitHeight - 50) / 20
	if len(rows) > most {
		rows = append(rows[:most-1], []string{fmt.Sprintf("and %d more", len(rows)-most+1)})
	}
	return append(head, "value"), rows
}

var palette = []string{"#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#ca95e5", "#37872d", "#fa6400"}

// span is the range of all times and values.
func span(lines []series) (t0, t1, v0, v1 float64) {
	t0, t1, v1 = math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, one := range lines {
		at, v := one.numbers()
		for i := range at {
			t0, t1, v0 = min(t0, at[i]), max(t1, at[i]), min(v0, v[i])
			if !math.IsNaN(v[i]) && !math.IsInf(v[i], 0) {
				v1 = max(v1, v[i])
			}
		}
	}
	if v1 <= v0 || math.IsInf(v1, 0) {
		v1 = v0 + 1
	}
	return t0, max(t1, t0+1), v0, v1
}

func chart(lines []series, names []string, unit string, w, h int) (template.HTML, []entry) {
	t0, t1, v0, v1 := span(lines)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg width="%d" height="%d">`, w, h)
	for _, v := range []float64{v0, (v0 + v1) / 2, v1} {
		y := float64(h-8) - (v-v0)/(v1-v0)*float64(h-16)
		fmt.Fprintf(&b, `<line x1="60" x2="%d" y1="%.1f" y2="%.1f" stroke="#333"/><text x="2" y="%.1f" fill="#999" font-size="11">%s</text>`, w, y, y, y+4, template.HTMLEscapeString(amount(v, unit)))
	}
	var entries []entry
	for i, one := range lines {
		color := palette[i%len(palette)]
		at, v := one.numbers()
		var points []string
		for j := range at {
			if !math.IsNaN(v[j]) {
				points = append(points, fmt.Sprintf("%.1f,%.1f", 60+(at[j]-t0)/(t1-t0)*float64(w-64), float64(h-8)-(v[j]-v0)/(v1-v0)*float64(h-16)))
			}
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`, color, strings.Join(points, " "))
		if len(entries) < 6 {
			entries = append(entries, entry{color, strings.TrimSpace(names[i]) + "  " + amount(last(one), unit)})
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()), entries
}

// states are the words and colors of the codes that a state timeline shows.
var states = []entry{{"#666", "unknown"}, {"#1565c0", "none"}, {"#2e7d32", "full"}, {"#b58900", "degraded"}, {"#d35400", "lost"}, {"#c62828", "insufficient"}}

func timeline(lines []series, names []string, w, h int) template.HTML {
	t0, t1, _, _ := span(lines)
	rows := slices.Compact(slices.Sorted(slices.Values(names)))
	rows = rows[:min(len(rows), h/22)]
	var b strings.Builder
	fmt.Fprintf(&b, `<svg width="%d" height="%d">`, w, h)
	for r, name := range rows {
		fmt.Fprintf(&b, `<text x="2" y="%d" fill="#bbb" font-size="11">%s</text>`, r*22+15, template.HTMLEscapeString(name))
	}
	for i, one := range lines {
		r := slices.Index(rows, names[i])
		if r < 0 {
			continue
		}
		at, v := one.numbers()
		for j := range at {
			x := 220 + (at[j]-t0)/(t1-t0)*float64(w-224)
			fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="18" fill="%s"/>`, x, r*22+2, float64(w-224)/(t1-t0)+0.5, states[int(v[j])%len(states)].Color)
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

var sheet = template.Must(template.New("sheet").Parse(`<!doctype html><meta charset="utf-8"><style>
body{background:#111217;color:#ccc;font:13px sans-serif;margin:10px} h1{font-size:18px;margin:4px 0} p{margin:2px 0 10px;color:#999}
.cell{position:absolute;background:#181b1f;border:1px solid #2c3235;border-radius:2px;overflow:hidden;box-sizing:border-box;padding:4px 8px}
.cell b{font-weight:500} .number{font-size:26px;text-align:center;padding:10px;border-radius:2px;color:#fff} table{border-collapse:collapse;width:100%;font-size:12px}
td,th{text-align:left;padding:2px 8px;border-bottom:1px solid #2c3235;white-space:nowrap} .legend span{margin-right:14px;font-size:11px;white-space:pre}
#grid{position:relative}
</style><h1>{{.Title}}</h1><p>{{.About}}</p><div id="grid">
{{range .Cells}}<div class="cell" style="left:{{.X}}px;top:{{.Y}}px;width:{{.W}}px;height:{{.H}}px"><b>{{.Title}}</b>
{{if .Number}}<div class="number" style="background:{{.Color}}">{{.Number}}</div>{{end}}
{{if .Head}}<table><tr>{{range .Head}}<th>{{.}}</th>{{end}}</tr>{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>{{end}}</table>{{end}}
{{.Chart}}<div class="legend">{{range .Legend}}<span><i style="color:{{.Color}}">■</i> {{.Text}}</span>{{end}}</div></div>
{{end}}</div>`))

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

type manCmd struct{}

// Run prints the manual page, made of what --help says.
func (manCmd) Run(k *kong.Context) error {
	manual(os.Stdout, k.Model.Node)
	return nil
}

// manual writes sparewatch(1) in the macros of man(7).
func manual(w io.Writer, root *kong.Node) {
	fmt.Fprintf(w, ".TH SPAREWATCH 1 \"\" \"sparewatch %s\"\n.SH NAME\nsparewatch \\- %s\n", version, roff("how many more failures redundant hardware can take"))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B sparewatch\n.I command\n.RI [ arguments ]\n.SH DESCRIPTION\n%s\n.SH COMMANDS\n", roff(about))
	for _, n := range root.Leaves(true) {
		usage := strings.TrimPrefix(n.Path(), "sparewatch ")
		for _, a := range n.Positional {
			usage += " " + a.Summary()
		}
		fmt.Fprintf(w, ".SS %s\n%s\n", roff(usage), roff(n.Help))
		examples(w, n.Detail)
		for _, f := range flags(n) {
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(f.String()), roff(kong.DefaultHelpValueFormatter(f.Value)))
		}
		for _, a := range n.Positional {
			fmt.Fprintf(w, ".TP\n.I %s\n%s\n", roff(a.Name), roff(a.Help))
		}
	}
	fmt.Fprint(w, `.SH FILES
.TP
.I /etc/sparewatch/
The configuration of the daemon that the package installs: all *.yaml files in it are read as one.
.TP
.I /var/lib/sparewatch/
What the daemon keeps: the ledger, and what waits to be sent.
.SH SEE ALSO
.I /usr/share/doc/sparewatch/
has the manual; configs/sparewatch.yaml shows every key of the configuration.
`)
}

// examples writes the text of a command: lines that are indented stand as they are.
func examples(w io.Writer, text string) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch indented := strings.HasPrefix(line, "    "); {
		case line == "":
			continue
		case indented && !inside:
			fmt.Fprint(w, ".PP\n.nf\n.RS\n")
			inside = true
		case !indented && inside:
			fmt.Fprint(w, ".RE\n.fi\n.PP\n")
			inside = false
		case !inside:
			fmt.Fprint(w, ".PP\n")
		}
		fmt.Fprintln(w, roff(strings.TrimPrefix(line, "    ")))
	}
	if inside {
		fmt.Fprint(w, ".RE\n.fi\n")
	}
}

// roff is text that says nothing to troff: no line begins with a control character, hyphens can be copied.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "\n\n", "\n.PP\n").Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// Command sparewatch says how many more failures redundant hardware can take. Each subcommand has a file of its own;
// what they do is in pkg/app, what they print in pkg/term.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/config"
	text "github.com/sparewatch/sparewatch/pkg/term"
)

// version is set by the linker.
var version = "devel"

// cli are the subcommands, in the order in which they are listed.
type cli struct {
	Demo       demoCmd       `cmd:"" help:"A simulated datacenter on loopback, watched live while faults follow a script."`
	Inspect    inspectCmd    `cmd:"" help:"Poll one device once: what it is, what in it is redundant, what is wrong."`
	Check      checkCmd      `cmd:"" help:"Configuration and topology, offline: every mistake, single points of failure, false redundancy."`
	Capture    captureCmd    `cmd:"" help:"Record a live device, with pseudonyms for what is private."`
	Replay     replayCmd     `cmd:"" help:"Serve a recorded device over its protocol."`
	Run        runCmd        `cmd:"" help:"The daemon: poll, judge, tell."`
	Status     statusCmd     `cmd:"" help:"Ask the daemon how many spares each service has left, and why."`
	Simulate   simulateCmd   `cmd:"" help:"What would be lost if something failed: ask the daemon, or the declared topology."`
	Gate       gateCmd       `cmd:"" help:"Ask the daemon whether something may be taken down now: exit 0 yes, 1 no, 2 no answer."`
	Cuts       cutsCmd       `cmd:"" help:"Minimal cut sets of a service, as things stand or as declared; or of a fault tree in the Open-PSA format."`
	Capacity   capacityCmd   `cmd:"" help:"What single failures, or all pairs, would overload, and how much more may be installed."`
	Paths      pathsCmd      `cmd:"" help:"Read MRT files or captures of BGP: sessions, upstreams, and what all ways out share."`
	Profile    profileCmd    `cmd:"" help:"Try an SNMP profile of your own on a recording."`
	Completion completionCmd `cmd:"" help:"Print the script that completes commands and flags in a shell."`
	Man        manCmd        `cmd:"" hidden:"" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" help:"Print the version."`

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

const about = `Sparewatch says for each service and redundancy group how many more failures it can take, and which would be the one.

Exit codes: 0 fine, 1 the answer is bad news, 2 could not do it.`

func main() { os.Exit(run(os.Args[1:])) }

// newParser reads the command line into c. What --help and --version end with goes to exit.
func newParser(c *cli, exit func(int)) (*kong.Kong, error) {
	return kong.New(c, kong.Name("sparewatch"), kong.Description(about), kong.Exit(exit), kong.Vars{"version": versionLine()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
}

// run is the program with its exit code.
func run(args []string) int {
	var c cli
	exited := -1
	parser, err := newParser(&c, func(code int) { exited = code })
	if err != nil {
		return fail(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help, --version
		return exited
	}
	if err != nil {
		help := "sparewatch --help"
		var wrong *kong.ParseError
		if errors.As(err, &wrong) && wrong.Context.Selected() != nil {
			help = "sparewatch " + wrong.Context.Selected().Name + " --help"
		}
		return fail(hinted(err, "see "+help))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends what doesn't heed the first
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(); err != nil {
		return fail(err)
	}
	return 0
}

// reckon waits for what looks at no context, until a signal.
func reckon[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		is  T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		is, err := f()
		done <- answer{is, err}
	}()
	select {
	case a := <-done:
		return a.is, a.err
	case <-ctx.Done():
		var no T
		return no, errors.New("interrupted")
	}
}

// exit is an answer that is not fine and was printed already.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// answered makes the error of an exit code.
func answered(code int) error {
	if code == api.Fine {
		return nil
	}
	return exit(code)
}

// fail prints an error on one line and returns the exit code.
func fail(err error) int {
	var code exit
	if errors.As(err, &code) {
		return int(code)
	}
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) { // each begins with its file and line
		fmt.Fprintln(os.Stderr, mistakes)
		return api.NoWord
	}
	var profile *mibs.Error
	if errors.As(err, &profile) { // as above
		fmt.Fprintln(os.Stderr, err)
		return api.NoWord
	}
	for line := range strings.Lines(strings.TrimSpace(err.Error()) + "\n") {
		fmt.Fprint(os.Stderr, "sparewatch: ", line)
	}
	return api.NoWord
}

// hinted adds to an error what to do next.
func hinted(err error, hint string) error { return fmt.Errorf("%w; %s", err, hint) }

// stdout prints for people, in colour where the output is a terminal and nobody objects (https://no-color.org).
func stdout(all bool) *text.Printer {
	colour := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return text.New(os.Stdout, text.Options{Colour: colour, All: all})
}

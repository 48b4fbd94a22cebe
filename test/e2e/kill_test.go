package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/notify/outbox"
	"github.com/sparewatch/sparewatch/pkg/notify/pagerduty"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/test/e2e"
)

// The child process of TestKilledTellerTellsOnce: its state folder and its receiver.
const (
	tellerDir = "SPAREWATCH_TEST_TELLER_DIR"
	tellerURL = "SPAREWATCH_TEST_TELLER_URL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(tellerDir); dir != "" {
		err := tell(context.Background(), dir, os.Getenv(tellerURL))
		fmt.Println(err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// tell is the daemon's route from findings to the receiver, and nothing before it. Each line that it reads is one look
// at the findings, their subjects apart by spaces; it answers when what came of it is in the ledger.
func tell(ctx context.Context, dir, url string) error {
	b, err := bus.Open(ctx, bus.Options{Dir: dir})
	if err != nil {
		return err
	}
	to, err := pagerduty.New(pagerduty.Options{RoutingKey: secret.New(routingKey), URL: url})
	if err != nil {
		return err
	}
	fold := incident.NewFold(incident.Options{NewID: incident.IDs("ams1")})
	var w *ledger.Writer
	box := outbox.New(outbox.Options{Site: "ams1", Ledger: b.Ledger(), Receivers: []outbox.Receiver{{Name: "duty", Notifier: to}},
		Record: func(ctx context.Context, records ...ledger.Record) error {
			_, err := w.Append(ctx, time.Now(), records...)
			return err
		}})
	w, err = ledger.Open(ctx, b.Ledger(), func(e ledger.Entry) error { return errors.Join(fold.Replay(e), box.Apply(e)) })
	if err != nil {
		return err
	}
	go func() { _ = box.Run(ctx) }() // until the process is killed
	looks := bufio.NewScanner(os.Stdin)
	for looks.Scan() {
		var findings []finding.Finding
		for _, s := range strings.Fields(looks.Text()) {
			findings = append(findings, finding.Finding{Key: finding.KeyOf(finding.RedundancyLost, component.ID(s)), Rule: finding.RedundancyLost,
				Subject: component.ID(s), Severity: finding.Error, Summary: s, Pages: true})
		}
		next, step := fold.Step(time.Now(), findings, nil)
		entries, err := w.Append(ctx, time.Now(), step.Records(box.Intent)...)
		if err != nil {
			return err
		}
		fold = next
		for _, e := range entries {
			if err := box.Apply(e); err != nil {
				return err
			}
		}
		fmt.Println("written")
	}
	return looks.Err()
}

// teller is the child.
type teller struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startTeller(t *testing.T, dir, url string) *teller {
	t.Helper()
	c := &teller{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), tellerDir+"="+dir, tellerURL+"="+url)
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewScanner(out)
	return c
}

// look gives the child the findings. kill: it is killed before it can answer for certain.
func (c *teller) look(t *testing.T, subjects []string, kill bool) {
	t.Helper()
	_, err := fmt.Fprintln(c.in, strings.Join(subjects, " "))
	switch {
	case kill:
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // anywhere between the look and the last outcome
		c.kill(t)
	case err != nil:
		t.Fatal(err)
	case !c.out.Scan() || c.out.Text() != "written":
		t.Fatalf("the teller says %q", c.out.Text())
	}
}

func (c *teller) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait() // it was killed
}

// TestAKilledTellerTellsOnce kills the process at random moments while faults come and go, with a receiver that loses
// answers: in the end the person on duty has seen every fault open once and close once.
func TestAKilledTellerTellsOnce(t *testing.T) {
	p, _ := startPagerDuty(t)
	dir := t.TempDir()
	c := startTeller(t, dir, p.URL())
	const faults = 12
	var broken []string
	for n := range faults {
		kill := n%2 == 0
		if n%4 == 1 {
			p.Lose(1)
		}
		broken = append(broken, fmt.Sprintf("s%d/group/psu", n))
		if len(broken) > 3 {
			broken = broken[1:] // the oldest is repaired
		}
		c.look(t, broken, kill)
		if kill {
			c = startTeller(t, dir, p.URL())
			c.look(t, broken, false)
		}
	}
	c.look(t, nil, false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	alerts, err := p.Wait(ctx, func(alerts []e2e.Alert) bool {
		closed := 0
		for _, a := range alerts {
			if !a.Resolved.IsZero() {
				closed++
			}
		}
		return closed >= faults
	})
	c.kill(t)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, a := range alerts {
		seen[a.Summary]++
	}
	for n := range faults {
		if s := fmt.Sprintf("s%d/group/psu", n); seen[s] != 1 {
			t.Errorf("%s was seen %d times", s, seen[s])
		}
	}
	if len(alerts) != faults {
		t.Errorf("%d alerts, want %d", len(alerts), faults)
	}
}

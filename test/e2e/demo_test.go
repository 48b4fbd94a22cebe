package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemo plays the script of the demo to its end: the daemon sees every fault and every repair.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for a minute")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tmp := t.TempDir()
	cmd := exec.CommandContext(ctx, build(t), "demo", "--once", "--speed=8", "--listen=127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"srv-103/group/psu  full ->  ! lost",                   // which group lost a spare
		"payments has left: 1 overall; power 1",                // which services lean on it, and what each has left
		"cause: srv-103/psu/2",                                 // why
		"do: Replace psu 2 of srv-103",                         // what to do
		"feed-a is gone",                                       // a common cause is one incident
		"srv-105/psu/2 is not cabled as the model says",        // a cord on the wrong PDU
		"✓ over: supplies of srv-103",                          // and that it comes back
		"is established and brings no prefix any more",         // an upstream that is silent
		"sparewatch check --config", "faults and repairs were", // where to look next
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	// A PDU that is gone with its feed is not told of beside it, nor what comes back later than the feed.
	if again := regexp.MustCompile(`(?m)^  \w+: .*(/pdu/1|/bank/\d|/inlet/1) is gone.*|^  \w+: psu .*has no input.*`).Find(out); again != nil {
		t.Errorf("it tells of %q:\n%s", again, out)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v behind; %v", left, err)
	}
}

// TestDemoInterrupted: Ctrl-C ends the demo cleanly, and it says where to look next.
func TestDemoInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	tmp := t.TempDir()
	cmd := exec.Command(build(t), "demo", "--listen=127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "NO_COLOR=1")
	pipe, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var said strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Services:") {
			must(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it did not end well: %v", err)
	}
	if !strings.Contains(said.String(), "Next: ") || !strings.Contains(said.String(), "everything was stopped") {
		t.Errorf("it said:\n%s", &said)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v behind; %v", left, err)
	}
}

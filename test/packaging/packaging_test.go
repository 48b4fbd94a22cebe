// Package packaging builds the Debian package and looks into it.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// need skips where a tool is not here.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: %s is not here", tool)
		}
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestPackage: what is installed is whole, belongs to root, starts, and knows its version.
func TestPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	need(t, "dpkg-deb", "gzip", "git")
	t.Setenv("VERSION", "1.2.3")
	t.Setenv("ZIP", "none")
	out := t.TempDir()
	deb := run(t, root, "scripts/package", out)
	if want := "sparewatch_1.2.3_"; !strings.HasPrefix(filepath.Base(deb), want) {
		t.Fatalf("it is called %s", deb)
	}
	for line := range strings.Lines(run(t, out, "dpkg-deb", "-c", deb)) {
		if f := strings.Fields(line); f[1] != "root/root" || strings.ContainsAny(f[0], "st") || f[0][8] == 'w' {
			t.Errorf("in the package: %s", line)
		}
	}
	run(t, out, "dpkg-deb", "-x", deb, "installed")
	run(t, out, "dpkg-deb", "-e", deb, "control")
	installed := filepath.Join(out, "installed")
	for _, f := range []string{
		"usr/lib/systemd/system/sparewatch.service", "usr/lib/sysusers.d/sparewatch.conf", "usr/share/man/man1/sparewatch.1.gz",
		"usr/share/bash-completion/completions/sparewatch", "usr/share/doc/sparewatch/docs/install.md",
		"usr/share/doc/sparewatch/ports-below-1024.conf", "usr/share/doc/sparewatch/dashboards/prometheus/rules.yml",
	} {
		if info, err := os.Stat(filepath.Join(installed, f)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty (%v)", f, err)
		}
	}
	program := filepath.Join(installed, "usr/bin/sparewatch")
	if said := run(t, out, program, "--version"); !strings.HasPrefix(said, "sparewatch 1.2.3 ") {
		t.Errorf("--version says %q", said)
	}
	configs := filepath.Join(installed, "usr/share/doc/sparewatch/configs/site.yaml")
	if err := os.WriteFile(configs, []byte("devices: [snmp://127.0.0.1]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, out, program, "check", "--mistakes", "--config", configs)
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		run(t, out, "sh", "-n", "control/"+script)
	}
}

// TestUnit: systemd takes the unit, and finds little that it exposes. The threshold is in tenths: 1.5 of 10.
func TestUnit(t *testing.T) {
	need(t, "systemd-analyze")
	unit := filepath.Join(t.TempDir(), "sparewatch.service")
	text, err := os.ReadFile(filepath.Join(root, "packaging/sparewatch.service"))
	if err != nil {
		t.Fatal(err)
	}
	// The program is not installed here; everything else is looked at as it stands.
	text = []byte(strings.NewReplacer("/usr/bin/sparewatch", "/bin/true", "Documentation=man:sparewatch(1) ", "Documentation=").Replace(string(text)))
	if err := os.WriteFile(unit, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := run(t, ".", "systemd-analyze", "verify", "--man=no", unit); said != "" {
		t.Errorf("systemd says:\n%s", said)
	}
	run(t, ".", "systemd-analyze", "security", "--offline=yes", "--threshold=15", unit)
}

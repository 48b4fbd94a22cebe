// Package peers tries the program against real daemons from Debian. A daemon that is not installed is a skip with a
// clear line; in CI it is a failure.
package peers

import (
	"os"
	"os/exec"
	"testing"
)

// daemon finds a program, by its name and the Debian package that brings it.
func daemon(t *testing.T, name, pkg string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/usr/lib/frr/"} {
		if p, err := exec.LookPath(dir + name); err == nil {
			return p
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: in CI scripts/deps installs Debian's package %s", name, pkg)
	}
	t.Skipf("skipped: %s is not installed (Debian package %s; make deps)", name, pkg)
	return ""
}

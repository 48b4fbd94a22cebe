package main

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println(versionLine())
	return nil
}

func versionLine() string {
	return fmt.Sprintf("sparewatch %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

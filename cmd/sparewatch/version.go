package main

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("sparewatch", version, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return nil
}

package redfish

import (
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// parse turns a tree of resources into a snapshot. It is pure.
func parse(t *tree, device string) *snapshot.Snapshot {
	s := &snapshot.Snapshot{Collector: Name, Device: snapshot.Device{Name: device}}
	root := t.at(rootPath)
	s.Device.Vendor = root.get("Vendor").str()
	s.Device.Model = root.get("Product").str()
	s.Device.UUID = root.get("UUID").str()
	return s
}

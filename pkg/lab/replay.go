package lab

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// Replaying is a recorded device that answers over its protocol.
type Replaying struct {
	URL     string // snmp://host:port or redfish://host:port
	Command string // the sparewatch command that reads it
	// Problems are the lines of the recording that could not be read and are not served.
	Problems []recording.Problem

	// One of the two serves.
	SNMP    *SNMPServer
	Redfish *RedfishServer
}

// Replay serves the recording in a file on addr ("127.0.0.1:0" where empty; port 0 is any free one) until Stop. It
// takes any community, any login and none, and with SNMPv3 any user who neither signs nor encrypts; where users are named,
// these and no others.
func Replay(file, addr string, users ...SNMPUser) (*Replaying, error) {
	rec, err := recording.Load(file)
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", file, err)
	}
	r, err := replay(rec, addr, users)
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", file, err)
	}
	return r, nil
}

func replay(rec *recording.Recording, addr string, users []SNMPUser) (*Replaying, error) {
	r := &Replaying{Problems: rec.Problems}
	var err error
	if rec.Format == recording.Redfish {
		if r.Redfish, err = ServeRedfish(addr, &BMC{Resources: NewResources(rooted(rec.Redfish))}, nil); err != nil {
			return nil, err
		}
		r.URL = r.Redfish.URL()
		r.Command = "sparewatch inspect " + r.URL + " --fingerprint " + r.Redfish.Fingerprint()
		return r, nil
	}
	a := &Agent{Objects: NewObjects(rec.SNMP), MaxSize: 65507, AnyUser: len(users) == 0}
	if err := a.Users(users...); err != nil {
		return nil, err
	}
	if r.SNMP, err = ServeSNMP(addr, a); err != nil {
		return nil, err
	}
	r.URL = r.SNMP.URL()
	r.Command = "sparewatch inspect " + r.URL
	return r, nil
}

// Stop ends the server.
func (r *Replaying) Stop() error {
	if r.SNMP != nil {
		return r.SNMP.Close()
	}
	return r.Redfish.Close()
}

// rooted gives a tree of a few resources the way to them: a recording that begins in the middle ("/redfish/v1/Chassis/1/Power"
// and nothing else) has no root from which a reader could find it. What is made up says so and holds links only. A
// recording with a root is served as it is.
func rooted(tree recording.Tree) recording.Tree {
	if _, ok := tree.Get("/redfish/v1"); ok {
		return tree
	}
	children := map[string][]string{}
	for _, at := range tree.Paths() {
		at, _, _ = strings.Cut(at, "?")
		for at != "/redfish/v1" && strings.HasPrefix(at, "/redfish/v1/") {
			up := path.Dir(at)
			if !slices.Contains(children[up], at) {
				children[up] = append(children[up], at)
			}
			at = up
		}
	}
	out := recording.Tree{}
	for at, body := range tree {
		out[at] = body
	}
	for at, below := range children {
		if _, recorded := tree[at]; !recorded {
			out[at] = made(at, below)
		}
	}
	return out
}

// collections are the names under which Redfish keeps collections of what is of use here.
var collections = []string{"Chassis", "Systems", "Managers", "PowerSupplies", "Fans", "Batteries", "Pumps", "Storage", "SimpleStorage",
	"Drives", "Volumes", "Controllers", "Processors", "Memory", "Sensors", "Outlets", "OutletGroups", "Mains", "Branches", "Feeders",
	"RackPDUs", "FloorPDUs", "PowerShelves", "TransferSwitches", "Switchgear", "ElectricalBuses", "PowerSystems", "NetworkAdapters",
	"NetworkInterfaces", "EthernetInterfaces", "Ports", "Fabrics", "Switches", "StorageSystems", "StorageServices", "PCIeDevices"}

// made is a resource that was not recorded, with links to what was.
func made(at string, below []string) json.RawMessage {
	body := map[string]any{"@odata.id": at, "Id": path.Base(at), "Name": path.Base(at), "Description": "Not recorded: made up by the replay, links only."}
	if slices.Contains(collections, path.Base(at)) {
		members := []any{}
		for _, b := range below {
			members = append(members, ref(b))
		}
		body["Members"], body["Members@odata.count"] = members, len(members)
		return encode(body)
	}
	for _, b := range below {
		body[path.Base(b)] = ref(b)
	}
	if at == "/redfish/v1" {
		body["Id"], body["Name"], body["@odata.type"] = "RootService", "Root Service", "#ServiceRoot.v1_0_0.ServiceRoot"
	}
	return encode(body)
}

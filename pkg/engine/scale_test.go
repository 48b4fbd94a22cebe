package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// fabric is a hall with a network: two switches in each rack, eight above each pod of so many racks, and above each of
// those its own plane of cores, all with two supplies; in place of a service for each server there are services that need
// some of a few servers in different pods.
type fabric struct {
	*hall
	hosts                    []component.ID
	tors, aggregation, cores []component.ID
}

const (
	racksOfPod   = 24
	planes       = 8
	coresOfPlane = 8
)

func newFabric(components, services int) *fabric {
	f := &fabric{hall: newHall(components)}
	f.model.Services = nil
	racks := 0
	for f.devices[fmt.Sprintf("srv-%d-0", racks)] != nil {
		racks++
	}
	for plane := range planes {
		for i := range coresOfPlane {
			f.cores = append(f.cores, f.addSwitch(fmt.Sprintf("core-%d-%d", plane, i), (plane*coresOfPlane+i)%racks))
		}
	}
	for rack := range racks {
		pod := rack / racksOfPod
		if rack%racksOfPod == 0 {
			for plane := range planes {
				agg := f.addSwitch(fmt.Sprintf("agg-%d-%d", pod, plane), min(rack+plane, racks-1))
				f.aggregation = append(f.aggregation, agg)
				for i := range coresOfPlane {
					f.carry(f.cores[plane*coresOfPlane+i], agg)
				}
			}
		}
		for _, side := range []string{"a", "b"} {
			tor := f.addSwitch(fmt.Sprintf("tor-%d-%s", rack, side), rack)
			f.tors = append(f.tors, tor)
			for plane := range planes {
				f.carry(f.aggregation[pod*planes+plane], tor)
			}
			for i := range serversOfRack {
				host := component.ID(fmt.Sprintf("srv-%d-%d/host/1", rack, i))
				f.carry(tor, host)
				if side == "a" {
					f.hosts = append(f.hosts, host)
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	perPod := racksOfPod * serversOfRack
	pods := (len(f.hosts) + perPod - 1) / perPod
	for i := range services {
		need := topology.Need{AtLeast: 1 + i%3/2}
		for j := range 2 + i%2 {
			pod := (i + j*(1+rng.IntN(max(1, pods/3)))) % pods
			need.Of = append(need.Of, topology.Need{ID: f.hosts[min(pod*perPod+rng.IntN(perPod), len(f.hosts)-1)]})
		}
		id := component.ID(fmt.Sprintf("s/service/%d", i))
		f.model.Services = append(f.model.Services, topology.Service{ID: id, Name: id.Local(), Tier: i % 4, Needs: need})
	}
	return f
}

func (f *fabric) carry(from, to component.ID) {
	f.model.Links = append(f.model.Links, topology.Link{Link: component.Link{From: from, To: to, Kind: component.Carries}})
}

// addSwitch adds a switch with its supplies on both pdus of a rack.
func (f *fabric) addSwitch(name string, rack int) component.ID {
	f.device(name, "switch/1", "psu/1", "psu/2")
	for i, side := range []string{"a", "b"} {
		f.link(fmt.Sprintf("pdu-%d-%s/pdu/1", rack, side), fmt.Sprintf("%s/psu/%d", name, i+1))
	}
	return component.ID(name + "/switch/1")
}

func BenchmarkTry(b *testing.B) {
	for _, size := range []int{10_000, 30_528} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				f := newFabric(size, 1000)
				e := f.engine(b)
				r := e.Report()
				fmt.Printf("%+v\n", r.Services[0])
			}
		})
	}
}

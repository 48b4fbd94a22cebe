// Package fleet tries the daemon on thousands of simulated devices at once: the real binary with a configuration made
// for them, the simulator a process of its own beside it.
//
//	make bench-fleet                      10,000 SNMP agents at 60 s, three intervals
//	make bench-fleet FLEET=redfish        the other kinds of fleet; see the map fleets in fleet_test.go
//	make bench-fleet FLEET_SIZE=2000 FLEET_INTERVAL=15s FLEET_INTERVALS=4
//
// What it prints are figures of one run, in docs/performance.md. The test run reads a small fleet of each kind for a few
// seconds and looks only at whether every device was read and nothing was found wrong.
package fleet

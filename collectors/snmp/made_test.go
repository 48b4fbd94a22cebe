package snmp_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// TestMadeDevices reads invented devices, for standard MIBs that no recording of a real one fills in.
func TestMadeDevices(t *testing.T) {
	set, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{
		"bundles.snmprec": {
			"port/swp1 ok", "port/swp2 failed ifOperStatus is down(2)", "port/swp3 ok", "port/swp4 ok+standby dot3adAggPortActorOperState: notDistributing",
			"port/swp5 absent shut down on purpose", "port/lag/bond1 ok", "port/lag/bond2 ok", "port/lag/bond3 absent shut down on purpose",
			"port-bond1 needs 1 of port/swp1 port/swp2 carries port/lag/bond1", "port-bond2 needs 1 of port/swp3 port/swp4 carries port/lag/bond2",
		},
		"optics-junos.snmprec":  {"port/xe-0/0/1 impaired+predicted jnxDomCurrentWarnings: rxLaserPowerLowWarning", "port/xe-0/0/3 impaired+predicted jnxDomCurrentAlarms: rxLaserPowerLowAlarm"},
		"optics-cisco.snmprec":  {"port/Ethernet1/26 impaired+predicted Ethernet1/26 Lane 1 Transceiver Receive Power Sensor reads -11000, below its threshold -10700", "port/TenGigabitEthernet0/0/10 impaired+predicted subslot 0/0 transceiver 10 Rx Power Sensor reads 600, above its threshold 499"},
		"optics-arista.snmprec": {"port/Ethernet2 impaired+predicted DOM RX Power Sensor for Ethernet2 reads 900, below its threshold 1000"},
		"optics-huawei.snmprec": {"port/10GE1/0/2 impaired+predicted hwEntityOpticalRxPower is -1650 (0.01 dBm), its lower limit -1600", "port/10GE1/0/6 impaired+predicted hwEntityOpticalTxPower is -950 (0.01 dBm), its lower limit -900"},
		"optics-comware.snmprec": {
			"port/Ten-GigabitEthernet1/0/2 impaired+predicted hh3cTransceiverCurRXPower is -1650 (0.01 dBm), its lower limit 251 (0.1 µW)", "port/Ten-GigabitEthernet1/0/5 impaired+predicted hh3cTransceiverErrors: laserOutputPowerFault",
			"port/Ten-GigabitEthernet1/0/6 impaired+predicted hh3cTransceiverCurTXPower is 260 (0.01 dBm), its upper limit 17783 (0.1 µW)",
		},
		"optics-nokia.snmprec":    {"port/1/1/2 impaired+predicted tmnxDDMFailedThresholds: rxOpticalPower-low-warning; tmnxDDMFailedThresholds: rxOpticalPower-low-alarm"},
		"optics-cx.snmprec":       {"port/1/1/2 impaired+predicted lane 2 receives -17.90, below its limit", "port/1/1/4 impaired+predicted the laser of lane 1 has a bias current above its limit"},
		"optics-procurve.snmprec": {"port/50 impaired+predicted hpicfXcvrAlarms: rxPowerLowWarning"},
		"optics-ciena.snmprec":    {"port/1 impaired+predicted wwpLeosPortXcvrRxPower is 4 µW, its lower limit 5"},
		"pair-vpc.snmprec": {
			"switch/vpc-10-peer impaired cVpcPeerKeepAliveStatus is peerUnreachable(3)", "switch/vpc-20-peer failed cVpcRoleStatus is noneEstablished(5); the peer link port-channel502 has ifOperStatus 2",
			"switch/vpc-30-peer failed cVpcDualActiveDetectionStatus is dualActive(1)", "port/vpc-1 ok", "port/vpc-2 impaired cVpcStatusHostLinkConsistencyDetail is VLANs differ",
			"port/vpc-3 failed cVpcStatusHostLinkStatus is downStar(2)", "switch-vpc-20 needs 1 of switch/1 switch/vpc-20-peer carries",
		},
		"pair-vsx.snmprec": {"switch/vsx-peer failed arubaWiredVsxIslOperState is outSync(2)", "port/isl failed arubaWiredVsxIslOperState is outSync(2)", "switch-vsx needs 1 of switch/1 switch/vsx-peer carries"},
		"pair-vlt.snmprec": {
			"switch/vlt-1-peer failed dellNetVLTPeerStatus is linkDown(3)", "port/vlt-icl-1 failed dellNetVLTIclStatus is down(2)", "switch/vlt-2-peer impaired dellNetVLTHBeatStatus is linkDown(2)",
			"switch-vlt-1 needs 1 of switch/1 switch/vlt-1-peer carries", "switch-vlt-2 needs 1 of switch/1 switch/vlt-2-peer carries",
		},
		"stack-vsf.snmprec": {
			"port/vsf-1/2 ok", "port/vsf-2/2 absent vsfLinkOperStatus is down", "port/vsf-3/2 unknown vsfLinkOperStatus is fault", "port-vsf-2 needs 1 of port/vsf-2/1 port/vsf-2/2 carries",
		},
		"stack-irf.snmprec": {
			"port/irf-1/1 ok", "port/irf-1/2 absent hh3cStackPortStatus is down(2)", "port/irf-2/1 failed hh3cStackPortStatus is silent(3)", "port/irf-2/2 absent disabled",
			"port-irf-1 needs 1 of port/irf-1/1 port/irf-1/2 carries", "port/ipp-1 failed hh3cDrniPortPortStatus is down(2)", "switch/drni-peer failed hh3cDrniRolePeerEffectiveRole is none(0)",
			"switch-drni needs 1 of switch/1 switch/drni-peer carries",
		},
		"stack-icx.snmprec": {"port/stack-1/2 ok", "port/stack-2/2 absent snStackingOperUnitStackPort2State is down(3)", "switch/3 absent snStackingOperUnitState is reserved(3)", "port-stack-2 needs 1 of port/stack-2/1 port/stack-2/2 carries"},
		"stack-vc.snmprec": {
			"port/member0-vcp-255/0/48 ok", "port/member0-vcp-255/0/49 absent jnxVirtualChassisPortOperStatus is down(2)", "port/member1-vcp-1 absent shut down on purpose",
			"port-vcp-0 needs 1 of port/member0-vcp-255/0/48 port/member0-vcp-255/0/49 carries",
		},
		"stack-istack.snmprec": {"port/1.2 ok", "port/2.2 absent hwStackPortStatus is down(2)", "port-stack-2 needs 1 of port/2.1 port/2.2 carries"},
		"first-hop.snmprec": {
			"router/hsrp-3.10 ok", "router/hsrp-3.10-active ok", "router/hsrp-3.10-standby ok+standby cHsrpGrpStandbyRouter is 10.0.0.3",
			"router/hsrp-3.11-standby failed noStandbyRouter", "router/hsrp-5.1 failed cHsrpGrpStandbyState is initial(1)",
			"router/vrrp-10.2 ok+standby vrrpOperState is backup(2)", "router/vrrp-11.1 failed vrrpOperState is initialize(1)", "router/vrrp-10.1.1 ok",
			"router-hsrp-3.11 needs 1 of router/hsrp-3.11-active router/hsrp-3.11-standby carries",
		},
		"ciena.snmprec":   {"psu/1 ok", "psu/2 failed cienaCesChassisPowerSupplyState is faulted(2)", "fan/1.1 ok", "fan/1.2 failed cienaCesChassisFanStatus is rpm-warning(3)"},
		"truenas.snmprec": {"volume/pool/boot-pool ok", "volume/pool/tank impaired zpoolHealth is degraded(1)", "volume/pool/old failed zpoolHealth is removed(5)", "volume/pool/text failed zpoolHealthText is SUSPENDED", "volume/pool/odd unknown zpoolHealth is 9"},
		"nutanix.snmprec": {"enclosure/1 ok", "drive/1 ok", "drive/2 failed dstState is offline(2)"},
		"himoinsa.snmprec": {
			"inlet/mains ok mainsVL1NConm is no voltage(0)", "inlet/generator ok+standby genVL1NConm is no voltage(0)", "generator/1 ok+standby stopped",
		},
		"avocent-acs.snmprec": {"psu/1 ok", "psu/2 failed acsPowerSupplyStatePw2 is statePowerOff(2)"},
		"ruggedcom.snmprec":   {"psu/1 ok", "psu/2 ok rcDeviceStsPowerSupply2 is notConnected(4)", "fan/1 ok", "fan/2 absent rcDeviceStsFanBank2 is notPresent(1)"},
		"stormshield.snmprec": {
			"router/1 ok active", "router/2 ok+standby passive", "psu/1/2 ok snsNodePowerSupplyPowered is false(2)", "psu/2/2 ok",
			"ha needs 1 of router/1 router/2 carries", "psu-1 needs 0 of psu/1/1 psu/1/2 carries router/1",
		},
		"eternus.snmprec": {
			"controller/0 ok", "controller/1 failed fjdaryCmStatus is maintenance(5); fjdaryCmSubStatus is alarm(2)", "psu/ce/0 ok", "psu/ce/1 absent fjdaryCpsuStatus is invalid(4)",
			"psu/de/3 unknown fjdaryPsuStatus is undefined(6)", "psu-de-1 needs 0 of psu/de/2 psu/de/3 carries module/de/1",
			"drive/1 failed fjdaryDiskStatus is partbroken(64); fjdaryDiskSubStatus is partbroken(64)", "drive/2 ok+standby fjdaryDiskStatus is spare(65)", "drive/3 impaired fjdaryDiskStatus is recovering(7)", "drive/4 absent fjdaryDiskStatus is notexist(68)",
		},
		"gude-ats.snmprec": {"ats/1 ok", "inlet/1 ok", "inlet/2 ok ats3020SecPowAvail is no power(0)", "inlet needs 1 of inlet/1 inlet/2 carries ats/1"},
		"oceanstor.snmprec": {
			"controller/0A ok", "controller/0B failed hwInfoControllerHealthStatus is fault(2); hwInfoControllerRunningStatus is offline(28)",
			"psu/CTE0.PSU0 ok", "psu/CTE0.PSU1 ok hwInfoPowerHealthStatus is no input(11)", "psu/DAE000.PSU0 unknown hwInfoPowerHealthStatus is 0",
			"drive/CTE0.1 impaired+predicted hwInfoDiskHealthStatus is pre-fail(3)", "drive/DAE000.1 impaired hwInfoDiskRunningStatus is reconstruction(16)",
			"psu-CTE0 needs 0 of psu/CTE0.PSU0 psu/CTE0.PSU1 carries enclosure/box/CTE0", "volume/pool/pool-a impaired hwInfoStoragePoolHealthStatus is degraded(5)",
		},
		"ontap.snmprec": {
			"controller/node/n-a ok", "controller/node/n-b impaired cannotTakeover; PSU2 on shelf 1", "controller/node/n-c failed nodeHealth is false(0); haSettings is thisNodeDead(5); haState is dead(1)",
			"controller-n-c needs 1 of controller/node/n-c controller/node/n-d carries", "battery/nvram/n-a ok", "volume/aggr/aggr1 ok",
		},
	} {
		t.Run(file, func(t *testing.T) {
			rec, err := recording.Load(filepath.Join("testdata", "made", file))
			if err != nil {
				t.Fatal(err)
			}
			tried, err := snmp.Try("d", set, rec.SNMP, "")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range tried.Parsed.Components {
				state := c.Condition.String()
				if c.Standby {
					state += "+standby"
				}
				if c.Predicted {
					state += "+predicted"
				}
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s/%s %s %s", c.Kind, c.ID.Local(), state, c.Why)))
			}
			for _, c := range tried.Parsed.Claims {
				var members []string
				for _, m := range c.Members {
					members = append(members, strings.TrimPrefix(string(m), "d/"))
				}
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s needs %d of %s carries %s", c.Group.Local(), c.Needed, strings.Join(members, " "), strings.TrimPrefix(string(c.Carries), "d/"))))
			}
			if n := strings.Count(strings.Join(got, "\n"), "+predicted"); strings.HasPrefix(file, "optics") && n != len(want) {
				t.Errorf("%d ports are said to fail, want %d:\n%s", n, len(want), strings.Join(got, "\n"))
			}
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("there is no %q in\n%s", w, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// TestNeighbours reads who is at the other end of the cables of recorded devices, each of which names its ports in another way.
func TestNeighbours(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS to their folder")
	}
	set, err := snmp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{
		// Port ids that are the ifIndex as text.
		"aos7":          {"22", "1/1/8: rox-timi5-1-vl245 Alcatel-Lucent OS6860 GNI 1/1/7 2cfaa2dee0ed", "2/1/7: roahroddtimi01.hro.hella.com Gi0 00fec8150990"},
		"junos_qfx5100": {"2", "xe-0/0/0: devicea ifa 50c58d123456", "xe-0/0/1: deviceb ifb 80711f123456"},
		// ifName.
		"procurve_e2910":         {"2", "23: switch-name 41 000000000000", "24: switch-name 42 000000000000"},
		"arubaos-cx_8360":        {"3", "1/1/1: <private> 1/1/1 ec6794504d00", "mgmt: <private> mgmt ec6794504d00"},
		"boss_ers4950":           {"3", "1/49: cox-base-vsp8k1 1/1 b0adaa434400", "1/2: hole-ap8432-F0B783 ge1 b85001f0b783"},
		"dnos_z9100-on":          {"1", "hundredGigE-1/32: swrr309a hundredGigE 1/9 3c 2c 30 16 74 80"},
		"eltex-mes23xx_mes2348p": {"26", "gi1/0/1: bt-stadion-payload-ap-07 bridge1/vlan75-payload; ether1 2cc81b5ba251"},
		// The interface in a table of the vendor's own.
		"routeros_crs317": {"5", "sfp-sfpplus14: router.jason.corp.local Guest 64:D1:54:F2:A4:16"},
	} {
		t.Run(file, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(dir, "snmp", "network", file+"*.snmprec"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			rec, err := recording.Load(files[0])
			if err != nil {
				t.Fatal(err)
			}
			tried, err := snmp.Try("d", set, rec.SNMP, "")
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, c := range tried.Parsed.Components {
				if a := c.Attributes; a["neighbour"]+a["neighbour_chassis"] != "" {
					got = append(got, fmt.Sprintf("%s: %s %s %s", c.ID.Local(), a["neighbour"], a["neighbour_port"], a["neighbour_chassis"]))
				}
			}
			if want[0] != strconv.Itoa(len(got)) {
				t.Errorf("%d neighbours, want %s", len(got), want[0])
			}
			for _, w := range want[1:] {
				if !slices.Contains(got, w) {
					t.Errorf("there is no %q in\n%s", w, strings.Join(got, "\n"))
				}
			}
		})
	}
}

package ipmi

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/bougou/go-ipmi/pkg/types"
)

// reading is one answer to Get Sensor Reading (section 35.14).
type reading struct {
	// valid: scanning is enabled and the reading is available. Nothing else may be believed without it.
	valid bool
	why   string // why it is not valid
	// missing: the BMC has a record of the sensor and not the sensor. Shared records name more than is fitted.
	missing bool
	raw     byte
	states  uint16 // discrete: bit i is state i (data byte 3 holds states 0 to 7, byte 4 states 8 to 14)
	// threshold status bits of byte 3: at or below lower non-critical 0, critical 1, non-recoverable 2; upper 3, 4, 5
	thresholds byte
}

func (s *session) reading(ctx context.Context, number, lun byte) (reading, error) {
	data, err := s.do(ctx, request{netFn: netFnSensor, lun: lun, cmd: cmdGetSensorReading, data: []byte{number}})
	if hasCode(err, 0xcb, 0xcc, 0xcd, 0xce, 0xd5) {
		return reading{missing: true, why: err.Error()}, nil // "not there" is an answer
	}
	if err != nil {
		return reading{}, err
	}
	return decodeReading(data), nil
}

// decodeReading is the pure part: the answer's data without the completion code.
func decodeReading(data []byte) reading {
	if len(data) < 2 {
		return reading{why: fmt.Sprintf("an answer of %d bytes", len(data))}
	}
	r := reading{raw: data[0]}
	switch {
	case data[1]&0x40 == 0:
		r.why = "scanning disabled"
		return r
	case data[1]&0x20 != 0:
		r.why = "reading unavailable"
		return r
	}
	r.valid = true
	if len(data) >= 3 {
		r.states, r.thresholds = uint16(data[2]), data[2]&0x3f
	}
	if len(data) >= 4 {
		r.states |= uint16(data[3]&0x7f) << 8 // bit 15 is reserved and reads 1
	}
	return r
}

// has reports whether the discrete state is asserted.
func (r reading) has(state int) bool { return r.valid && r.states&(1<<state) != 0 }

// Event/reading types (table 42-1).
const (
	eventThreshold  = 0x01
	eventDigital    = 0x03
	eventPredictive = 0x04
	eventLimit      = 0x05
	eventPerform    = 0x06
	eventSeverity   = 0x07
	eventPresence   = 0x08
	eventEnabled    = 0x09
	eventAvailable  = 0x0a
	eventRedundancy = 0x0b
	eventSpecific   = 0x6f
)

// Sensor types (table 42-3) and entity ids (table 43-13) that matter to redundancy.
const (
	typeTemperature = 0x01
	typeVoltage     = 0x02
	typeCurrent     = 0x03
	typeFan         = 0x04
	typePowerSupply = 0x08
	typePowerUnit   = 0x09
	typeCooling     = 0x0a
	typeOther       = 0x0b
	typeDriveSlot   = 0x0d
	typePresence    = 0x25
	typeBattery     = 0x29

	entityPowerSupply     = 10
	entityPowerUnit       = 19
	entityPowerModule     = 20
	entityPowerManagement = 21
	entityFan             = 29
	entityCoolingUnit     = 30
	entityDriveBay        = 26
	entityDisk            = 4
	entityBattery         = 40
)

// value converts an analog reading to the unit of its record; NaN where there is none.
func (x sensor) value(r reading) (v float64, unit string) {
	if !r.valid || x.full == nil || !x.full.HasAnalogReading() {
		return math.NaN(), ""
	}
	v = x.full.ConvertReading(r.raw)
	if x.full.SensorUnit.Percentage {
		return v, "%"
	}
	switch x.full.SensorUnit.BaseUnit {
	case types.SensorUnitType_Watts:
		return v, "W"
	case types.SensorUnitType_Amps:
		return v, "A"
	case types.SensorUnitType_Volts:
		return v, "V"
	case types.SensorUnitType_VA:
		return v, "VA"
	case types.SensorUnitType_RPM:
		return v, "rpm"
	case types.SensorUnitType_DegreesC:
		return v, "Cel"
	case types.SensorUnitType_DegreesF:
		return (v - 32) / 1.8, "Cel"
	case types.SensorUnitType_DegreesK:
		return v - 273.15, "Cel"
	}
	return math.NaN(), ""
}

// State words, for evidence (table 42-3, 42-2). Only those that this collector judges by.
var (
	supplyStates = []string{"Presence detected", "Power Supply Failure detected", "Predictive Failure", "Power Supply input lost (AC/DC)",
		"Power Supply input lost or out-of-range", "Power Supply input out-of-range, but present", "Configuration error", "Power Supply Inactive (standby)"}
	redundancyStates = []string{"Fully Redundant", "Redundancy Lost", "Redundancy Degraded", "Non-redundant: Sufficient from Redundant",
		"Non-redundant: Sufficient from Insufficient", "Non-redundant: Insufficient Resources", "Redundancy Degraded from Fully Redundant",
		"Redundancy Degraded from Non-redundant"}
	driveStates = []string{"Drive Presence", "Drive Fault", "Predictive Failure", "Hot Spare", "Consistency Check In Progress", "In Critical Array",
		"In Failed Array", "Rebuild In Progress", "Rebuild Aborted"}
	unitStates = []string{"Power Off", "Power Cycle", "240VA Power Down", "Interlock Power Down", "AC lost", "Soft Power Control Failure",
		"Power Unit Failure detected", "Predictive Failure"}
	batteryStates  = []string{"battery low (predictive failure)", "battery failed", "battery presence detected"}
	severityStates = []string{"transition to OK", "transition to Non-Critical from OK", "transition to Critical from less severe",
		"transition to Non-recoverable from less severe", "transition to Non-Critical from more severe", "transition to Critical from Non-recoverable",
		"transition to Non-recoverable", "Monitor", "Informational"}
	digitalStates   = []string{"State Deasserted", "State Asserted"}
	availableStates = []string{"transition to Running", "transition to In Test", "transition to Power Off", "transition to On Line",
		"transition to Off Line", "transition to Off Duty", "transition to Degraded", "transition to Power Save", "Install Error"}
	thresholdEvents = []string{"Lower Non-critical going low", "Lower Non-critical going high", "Lower Critical going low", "Lower Critical going high",
		"Lower Non-recoverable going low", "Lower Non-recoverable going high", "Upper Non-critical going low", "Upper Non-critical going high",
		"Upper Critical going low", "Upper Critical going high", "Upper Non-recoverable going low", "Upper Non-recoverable going high"}
)

// stateNames are the states of event type 6Fh by sensor type, genericStates those of the generic event types.
var (
	stateNames = map[byte][]string{typePowerSupply: supplyStates, typePowerUnit: unitStates, typeDriveSlot: driveStates, typeBattery: batteryStates,
		typePresence: {"Entity Present", "Entity Absent", "Entity Disabled"}}
	genericStates = map[byte][]string{
		eventDigital: digitalStates, eventPredictive: {"Predictive Failure deasserted", "Predictive Failure asserted"}, eventLimit: {"Limit Not Exceeded", "Limit Exceeded"},
		eventPerform: {"Performance Met", "Performance Lags"}, eventSeverity: severityStates, eventPresence: {"Device Removed / Absent", "Device Inserted / Present"},
		eventEnabled: {"Device Disabled", "Device Enabled"}, eventAvailable: availableStates, eventRedundancy: redundancyStates,
	}
)

// words lists the asserted states by name.
func (r reading) words(names []string) string {
	var out []string
	for i := range 15 {
		if !r.has(i) {
			continue
		}
		if i < len(names) {
			out = append(out, names[i])
		} else {
			out = append(out, fmt.Sprintf("state %d", i))
		}
	}
	if len(out) == 0 {
		return "no state set"
	}
	return strings.Join(out, ", ")
}

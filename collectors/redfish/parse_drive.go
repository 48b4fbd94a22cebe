package redfish

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// drive reads one drive, which other resources may have shown already.
func (b *builder) drive(s *subsystem, at string) *part {
	if p := b.byPath[at]; p != nil {
		if p.Kind == component.Drive {
			b.own(s, p)
		}
		return p
	}
	body := b.t.at(at)
	serial := realSerial(body.get("SerialNumber").str())
	if serial != "" {
		for _, p := range b.parts {
			if p.Kind == component.Drive && p.serial == serial && p.Attributes[component.Model] == shorten(body.get("Model").str(), 200) {
				b.joinDrive(p, at, body)
				b.own(s, p)
				return p
			}
		}
	}
	p := b.newPart(component.Drive, at, body)
	scope := s.path
	if scope == "" {
		scope = at[:strings.LastIndexByte(at, '/')]
	}
	p.named(scope, s.prefix, bayNumber(body), b.label(body), lastSegment(at), body.get("Name").str())
	p.Status, p.Why = b.judgeDrive(body)
	if !b.freshen(p, at) && p.Name == "" {
		p.Name = lastSegment(at)
	}
	b.readDrive(p, body)
	b.own(s, p)
	return p
}

func (b *builder) own(s *subsystem, p *part) {
	s.parts = append(s.parts, p)
	for _, c := range s.controllers {
		b.links = append(b.links, edge{c, p, component.Carries})
	}
}

// joinDrive adds what a second resource says of a drive.
func (b *builder) joinDrive(p *part, at string, body value) {
	b.cite(p, at, body)
	if b.unread(at) != "" {
		return
	}
	st, why := b.judgeDrive(body)
	p.Status, p.Why = worse(p.Status, st), join(p.Why, why)
	b.readDrive(p, body)
}

// judgeDrive decides a drive's condition from its Status, its StatusIndicator (SES-2), its prediction and its spare's role.
func (b *builder) judgeDrive(body value) (component.Status, string) {
	st, why := judge(status(body.get("Status")))
	if st.Condition == component.Absent {
		return st, why
	}
	switch indicator := strings.ToLower(body.get("StatusIndicator").str()); indicator {
	case "fail":
		st.Condition, why = component.Worse(st.Condition, component.Failed), join(why, "StatusIndicator Fail")
	case "rebuild":
		st.Rebuilding, why = true, join(why, "StatusIndicator Rebuild")
	case "predictivefailureanalysis":
		st.Predicted, why = true, join(why, "StatusIndicator PredictiveFailureAnalysis")
	case "hotspare":
		st.Standby, why = true, join(why, "StatusIndicator Hotspare")
	}
	if is, _ := body.get("FailurePredicted").boolean(); is {
		st.Predicted, why = true, join(why, "FailurePredicted")
	}
	switch strings.ToLower(body.get("HotspareType").raw()) {
	case "global", "chassis", "dedicated":
		// A spare that has stepped in says Enabled and belongs to a volume.
		if len(body.at("Links", "Volumes").items()) == 0 && st.Condition == component.OK {
			st.Standby, why = true, join(why, "hot spare, "+body.get("HotspareType").raw())
		}
	}
	for _, op := range body.get("Operations").items() {
		if strings.Contains(strings.ToLower(op.first("OperationName", "Operation").str()), "rebuild") {
			st.Rebuilding, why = true, join(why, operation(op))
		}
	}
	return driveQuirks(body, st, why)
}

func operation(op value) string {
	name := op.first("OperationName", "Operation").str()
	if n, ok := op.get("PercentageComplete").num(); ok {
		return fmt.Sprintf("%s is at %g %%", name, n)
	}
	return name + " is under way"
}

func (b *builder) readDrive(p *part, body value) {
	if p.Condition == component.Absent {
		return
	}
	if t := body.get("HotspareType").raw(); t != "" && !strings.EqualFold(t, "none") {
		p.set("hot_spare", strings.ToLower(t))
	}
	p.set("hot_spare", spareUse(body))
	for _, op := range body.get("Operations").items() {
		if n, ok := op.get("PercentageComplete").num(); ok && strings.Contains(strings.ToLower(op.first("OperationName", "Operation").str()), "rebuild") {
			p.read("rebuild_progress", "%", "", n, n >= 0 && n <= 100)
		}
	}
	progress := rebuildProgress(body)
	p.read("rebuild_progress", "%", "", progress.v, progress.ok && p.Rebuilding)
	p.set("media", body.get("MediaType").str())
	p.set("protocol", body.first("Protocol", "InterfaceType").str())
	if n, ok := body.get("CapacityBytes").num(); ok && n > 0 {
		p.set("capacity_bytes", strconv.FormatFloat(n, 'f', 0, 64))
	} else if n, ok := body.get("CapacityMiB").num(); ok && n > 0 {
		p.set("capacity_bytes", strconv.FormatFloat(n*1048576, 'f', 0, 64))
	}
	life := num(body.get("PredictedMediaLifeLeftPercent")).sane(100)
	p.read("life_left", "%", "", life.v, life.ok)
	used := num(body.get("SSDEnduranceUtilizationPercentage")).sane(100)
	p.read("life_left", "%", "", 100-used.v, used.ok)
	temp := num(body.get("CurrentTemperatureCelsius")).or(oemTemperature(body)).sane(150)
	p.read("temperature", "Cel", "", temp.v, temp.ok && temp.v > 0)
}

// simpleStorage reads the drives of a system that shows no other (SimpleStorage.Devices have no resources of their own).
func (b *builder) simpleStorage(s *system, prefix string) {
	for _, at := range b.t.members(s.body.get("SimpleStorage").link()) {
		for i, d := range b.t.at(at).get("Devices").items() {
			link := at + "#/Devices/" + itoa(i)
			p := b.newPart(component.Drive, link, d)
			p.named(at, prefix, d.get("Name").str(), itoa(i))
			p.Status, p.Why = judge(status(d.get("Status")))
			b.freshen(p, at)
			b.readDrive(p, d)
		}
	}
}

// chassisDrives reads the drives that only a chassis lists: backplanes, JBODs.
func (b *builder) chassisDrives(c *chassis) {
	var listed []string
	listed = append(listed, b.t.members(c.body.get("Drives").link())...)
	for _, l := range c.body.at("Links", "Drives").items() {
		listed = appendNew(listed, normal(l.link()))
	}
	for _, at := range listed {
		if at == "" || b.byPath[at] != nil {
			continue
		}
		if b.sameDrive(c, at) {
			continue
		}
		b.drive(&subsystem{path: c.path}, at)
	}
}

// sameDrive joins a chassis's drive with the same one below a storage subsystem, where neither has a serial number but
// both have the same id and the same label (recording supermicro-gb300-nvl).
func (b *builder) sameDrive(c *chassis, at string) bool {
	body := b.t.at(at)
	id, label := lastSegment(at), b.label(body)
	var hit *part
	for _, p := range b.parts {
		if p.Kind != component.Drive || p.serial != "" && realSerial(body.get("SerialNumber").str()) != "" {
			continue
		}
		for _, path := range p.paths {
			if lastSegment(path) == id && p.Attributes[component.Location] == label && (label != "" || b.readable(at)) && !strings.HasPrefix(path, c.path+"/") {
				if hit != nil && hit != p {
					return false
				}
				hit = p
			}
		}
	}
	if hit == nil || label == "" {
		return false
	}
	b.joinDrive(hit, at, body)
	return true
}

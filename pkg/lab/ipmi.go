package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/clock"
	"github.com/bougou/go-ipmi/pkg/hal/mock"
	"github.com/bougou/go-ipmi/pkg/handlers"
	"github.com/bougou/go-ipmi/pkg/server"
	"github.com/bougou/go-ipmi/pkg/transport/udp"
	"github.com/bougou/go-ipmi/pkg/types"
)

// IPMISensor is one discrete or threshold sensor of an IPMI BMC.
type IPMISensor struct {
	Number   byte
	Entity   byte // table 43-13: 10 is a power supply, 29 a fan
	Instance byte
	Name     string // 16 bytes at most
	Type     byte   // table 42-3
	Event    byte   // table 42-1: 1 threshold, 6Fh sensor-specific, 0Bh redundancy
	Unit     byte   // table 43-15, for threshold sensors: 18 rpm, 6 W
	Scale    int16  // the M of y = Mx; 0 is 1
}

// IPMIOptions are what an IPMI BMC is made of.
type IPMIOptions struct {
	Addr           string // as loopback completes it
	User, Password string
	Privilege      byte // the most that the user may have (table 22-20: 1 callback, 2 user); 0: administrator
	Sensors        []IPMISensor
	Records        [][]byte        // more sensor data records, whole; their ids are set
	FRUs           map[byte][]byte // FRU areas by device
	GUID           [16]byte        // as it is sent; zero: a fixed one
	Sessions       int             // most sessions at once; 0: 4, as the specification wants at least
}

// IPMI is a BMC that speaks RMCP+ (cipher suites 3 and 17): go-ipmi's reference server with sensors and an event log that
// can be changed while it runs.
type IPMI struct {
	options  IPMIOptions
	addr     string
	requests atomic.Int64

	mu       sync.Mutex
	readings map[byte][]byte // data of Get Sensor Reading by sensor number
	off      bool
	faults   [2]byte // bytes 2 and 3 of Get Chassis Status: last power event, misc. state
	power    byte    // more bits of byte 1
	log      selLog
	running  *ipmiServer
}

// ipmiServer is the BMC from one start to the next.
type ipmiServer struct {
	device *bmc.BMC
	server *server.Server
	conn   *udp.Conn
	cancel context.CancelFunc
	done   chan struct{}
}

// ServeIPMI serves a BMC on a UDP address with one user, who may log in as administrator.
func ServeIPMI(addr, user, password string, sensors []IPMISensor) (*IPMI, error) {
	return StartIPMI(IPMIOptions{Addr: addr, User: user, Password: password, Sensors: sensors})
}

// StartIPMI serves a BMC.
func StartIPMI(o IPMIOptions) (*IPMI, error) {
	b := &IPMI{options: o, addr: loopback(o.Addr), readings: map[byte][]byte{}}
	s, err := b.boot()
	if err != nil {
		return nil, err
	}
	b.running, b.addr = s, s.conn.LocalAddr().String()
	return b, nil
}

// boot starts the BMC's processor: with no session, as after every start.
func (b *IPMI) boot() (*ipmiServer, error) {
	o := &b.options
	hal := mock.New()
	id := uint16(0)
	write := func(name string, record []byte) error {
		id++
		binary.LittleEndian.PutUint16(record, id)
		if err := hal.Storage().SDR().Write(context.Background(), id, record); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for _, s := range o.Sensors {
		if err := write("sensor "+s.Name, s.record(0)); err != nil {
			return nil, err
		}
	}
	for _, r := range o.Records {
		if err := write("a record", append([]byte(nil), r...)); err != nil {
			return nil, err
		}
	}
	for device, area := range o.FRUs {
		if err := hal.Storage().FRU().Write(context.Background(), device, area); err != nil {
			return nil, fmt.Errorf("FRU %d: %w", device, err)
		}
	}
	guid := o.GUID
	if guid == ([16]byte{}) {
		copy(guid[:], "sparewatch-lab")
	}
	device := bmc.New(bmc.DeviceInfo{DeviceID: 32, DeviceRevision: 1, FirmwareMajor: 2, FirmwareMinor: 0x10, IPMIVersion: 0x20, ManufacturerID: 343,
		ProductID: 1, AdditionalDeviceSupport: 0xbf}, guid, hal, bmc.WithClock(clock.Real))
	if o.Sessions > 0 {
		device.Sessions = bmc.NewSessionStoreWithOptions(clock.Real, bmc.WithMaxSessions(o.Sessions))
	}
	account, err := device.Users.Add(2, o.User)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", o.User, err)
	}
	account.SetPassword([]byte(o.Password))
	account.Enabled = true
	level := bmc.PrivilegeLevelAdministrator
	if o.Privilege != 0 {
		level = bmc.PrivilegeLevel(o.Privilege)
	}
	account.ChannelAccess[1] = bmc.UserChannelAccess{MaxPrivilege: level, Enabled: true}

	conn, err := udp.Listen(b.addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", b.addr, err)
	}
	s := &ipmiServer{device: device, conn: conn, done: make(chan struct{})}
	s.server = server.NewServer(device, conn, server.WithHandlerRegistry(b.registry(guid)))
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(s.done)
		_ = s.server.Serve(ctx)
	}()
	return s, nil
}

// registry are the commands that the BMC knows.
func (b *IPMI) registry(guid [16]byte) *handlers.Registry {
	registry := handlers.NewRegistry()
	registry.Use(func(next handlers.Handler) handlers.Handler {
		return handlers.HandlerFunc(func(ctx context.Context, h *handlers.HandlerContext, data []byte) ([]byte, types.CompletionCode, error) {
			b.requests.Add(1)
			return next.Handle(ctx, h, data)
		})
	})
	handlers.RegisterAllHandlers(registry)
	locked := func(command types.Command, f func(data []byte) ([]byte, types.CompletionCode)) {
		registry.RegisterFunc(command, func(_ context.Context, _ *handlers.HandlerContext, data []byte) ([]byte, types.CompletionCode, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			answer, code := f(data)
			return answer, code, nil
		})
	}
	locked(types.CommandGetSensorReading, b.reading)
	locked(types.CommandGetChassisStatus, b.chassis)
	locked(types.CommandGetSystemGUID, func([]byte) ([]byte, types.CompletionCode) { return append([]byte(nil), guid[:]...), types.CodeOK })
	locked(types.CommandGetSELInfo, b.log.info)
	locked(types.CommandGetSELEntry, b.log.entry)
	locked(types.CommandGetSELTime, b.log.time)
	return registry
}

// URL is ipmi://host:port.
func (b *IPMI) URL() string {
	return "ipmi://" + netip.MustParseAddrPort(b.addr).String()
}

// Requests is how many commands have come in.
func (b *IPMI) Requests() int { return int(b.requests.Load()) }

// Sessions is how many sessions are open.
func (b *IPMI) Sessions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running.device.Sessions.Count()
}

// Restart starts the BMC's processor anew on the same address: it knows no session any more.
func (b *IPMI) Restart() error {
	b.mu.Lock()
	old := b.running
	b.mu.Unlock()
	if err := old.stop(); err != nil {
		return err
	}
	s, err := b.boot()
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = s
	return nil
}

// States sets a discrete sensor's asserted states: bit i is state i.
func (b *IPMI) States(number byte, states uint16) {
	b.set(number, []byte{0, 0xc0, byte(states), byte(states>>8) | 0x80})
}

// Value sets a threshold sensor's raw reading and its threshold status bits.
func (b *IPMI) Value(number, raw, thresholds byte) {
	b.set(number, []byte{raw, 0xc0, thresholds | 0xc0})
}

// Unavailable makes a sensor answer that it has no reading now.
func (b *IPMI) Unavailable(number byte) { b.set(number, []byte{0, 0xe0, 0, 0x80}) }

// Unscanned makes a sensor answer that its scanning is disabled; the states that it sends along mean nothing.
func (b *IPMI) Unscanned(number byte, states uint16) {
	b.set(number, []byte{0, 0x80, byte(states), byte(states>>8) | 0x80})
}

// Power switches the chassis on or off.
func (b *IPMI) Power(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off = !on
}

// Chassis sets what Get Chassis Status tells beside whether it is on (section 28.2): more bits of the current power
// state, the last power event, and the miscellaneous state.
func (b *IPMI) Chassis(power, last, misc byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.power, b.faults = power, [2]byte{last, misc}
}

func (b *IPMI) set(number byte, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readings[number] = data
}

// Close ends the BMC and waits for it.
func (b *IPMI) Close() error {
	b.mu.Lock()
	s := b.running
	b.mu.Unlock()
	return s.stop()
}

func (s *ipmiServer) stop() error {
	s.cancel()
	err := s.server.Close()
	_ = s.conn.Close()
	<-s.done
	return err
}

func (b *IPMI) reading(data []byte) ([]byte, types.CompletionCode) {
	if len(data) < 1 {
		return nil, types.CodeRequestDataLengthInvalid
	}
	if r, ok := b.readings[data[0]]; ok {
		return append([]byte(nil), r...), types.CodeOK
	}
	return nil, types.CodeRequestedDataNotPresent
}

func (b *IPMI) chassis([]byte) ([]byte, types.CompletionCode) {
	on := byte(1)
	if b.off {
		on = 0
	}
	return []byte{0x60 | b.power | on, b.faults[0], 0x40 | b.faults[1]}, types.CodeOK
}

// selLog is the BMC's system event log (section 31).
type selLog struct {
	records [][]byte
	next    uint16 // id of the next record, less one
	erased  uint32
	most    int
	lost    bool
	clock   time.Duration // how far the BMC's clock is ahead
}

// Event adds an event to the log: at is by the true time; event is the type with bit 7 where the state is over.
func (b *IPMI) Event(at time.Time, number, kind, event, offset byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.log
	if l.next++; l.next == 0xffff {
		l.next = 1
	}
	if l.most > 0 && len(l.records) >= l.most {
		l.lost = true
		return
	}
	r := make([]byte, 16)
	binary.LittleEndian.PutUint16(r, l.next)
	r[2] = 0x02
	binary.LittleEndian.PutUint32(r[3:], uint32(at.Add(l.clock).Unix()))
	r[7], r[9], r[10], r[11], r[12], r[13] = 0x20, 0x04, kind, number, event, offset
	l.records = append(l.records, r)
}

// Log sets how many records the log holds (0: any number), how far the BMC's clock is ahead, and the id of the last
// record that there was.
func (b *IPMI) Log(most int, clock time.Duration, last uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.most, b.log.clock, b.log.next = most, clock, last
}

// ClearLog empties the log; numbers begin again.
func (b *IPMI) ClearLog(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.records, b.log.lost, b.log.next, b.log.erased = nil, false, 0, uint32(at.Add(b.log.clock).Unix())
}

func (l *selLog) info([]byte) ([]byte, types.CompletionCode) {
	out := make([]byte, 14)
	out[0] = 0x51
	binary.LittleEndian.PutUint16(out[1:], uint16(len(l.records)))
	free := 0xffff
	if l.most > 0 {
		free = (l.most - len(l.records)) * 16
	}
	binary.LittleEndian.PutUint16(out[3:], uint16(free))
	if n := len(l.records); n > 0 {
		copy(out[5:9], l.records[n-1][3:7])
	}
	binary.LittleEndian.PutUint32(out[9:], l.erased)
	out[13] = 0x02
	if l.lost {
		out[13] |= 0x80
	}
	return out, types.CodeOK
}

func (l *selLog) entry(data []byte) ([]byte, types.CompletionCode) {
	if len(data) < 6 {
		return nil, types.CodeRequestDataLengthInvalid
	}
	if len(l.records) == 0 {
		return nil, types.CodeRequestedDataNotPresent
	}
	id, at := binary.LittleEndian.Uint16(data[2:]), -1
	switch id {
	case 0:
		at = 0
	case 0xffff:
		at = len(l.records) - 1
	default:
		for i, r := range l.records {
			if binary.LittleEndian.Uint16(r) == id {
				at = i
			}
		}
	}
	if at < 0 {
		return nil, types.CodeRequestedDataNotPresent
	}
	next := []byte{0xff, 0xff}
	if at+1 < len(l.records) {
		next = l.records[at+1][:2]
	}
	return append(append([]byte(nil), next...), l.records[at]...), types.CodeOK
}

func (l *selLog) time([]byte) ([]byte, types.CompletionCode) {
	return binary.LittleEndian.AppendUint32(nil, uint32(time.Now().Add(l.clock).Unix())), types.CodeOK
}

// record is the sensor data record: compact (43.2) for a discrete sensor, full (43.1) for one with thresholds.
func (s IPMISensor) record(id uint16) []byte {
	discrete := s.Event != 1
	r := make([]byte, 48)
	kind := byte(0x01)
	if discrete {
		r, kind = make([]byte, 32), 0x02
	}
	binary.LittleEndian.PutUint16(r, id)
	r[2], r[3] = 0x51, kind
	r[5], r[7], r[8], r[9] = 0x20, s.Number, s.Entity, s.Instance
	r[10], r[11] = 0x7f, 0x68 // initialised and scanning; auto re-arm
	r[12], r[13] = s.Type, s.Event
	binary.LittleEndian.PutUint16(r[18:], 0x7fff)
	if discrete {
		r[20] = 0xc0 // no analog reading
	} else {
		r[21], r[24] = s.Unit, byte(max(1, s.Scale))
		r[25] = byte(max(1, s.Scale)>>2) & 0xc0
	}
	r[len(r)-1] = 0xc0 | byte(len(s.Name)&0x1f)
	r = append(r, s.Name...)
	r[4] = byte(len(r) - 5)
	return r
}

// IPMIAssociation is the entity association record (section 43.4) of a container and up to four entities in it, each an
// entity id and its instance.
func IPMIAssociation(container [2]byte, in ...[2]byte) []byte {
	r := make([]byte, 16)
	r[2], r[3], r[4], r[5], r[6], r[7] = 0x51, 0x08, 11, container[0], container[1], 0x20
	for i, e := range in[:min(4, len(in))] {
		r[8+2*i], r[9+2*i] = e[0], e[1]
	}
	return r
}

// IPMILocator is the record of a FRU device that the BMC reads itself (section 43.8).
func IPMILocator(device, entity, instance byte, name string) []byte {
	r := make([]byte, 16, 32)
	r[2], r[3], r[5], r[6], r[7] = 0x51, 0x11, 0x20, device, 0x80
	r[10], r[12], r[13] = 0x10, entity, instance
	r[15] = 0xc0 | byte(len(name)&0x1f)
	r = append(r, name...)
	r[4] = byte(len(r) - 5)
	return r
}

// IPMIProduct is a FRU area (FRU Information Storage Definition, section 12) with a product's maker, name and serial
// number, and the capacity of a supply in W (section 18.1) where that is not 0.
func IPMIProduct(vendor, name, serial string, watts uint16) []byte {
	area := []byte{1, 0, 0x19}
	for _, field := range []string{vendor, name, "", "", serial} {
		area = append(area, 0xc0|byte(len(field)&0x3f))
		area = append(area, field...)
	}
	area = append(area, 0xc1)
	area = summed(area)
	area[1] = byte(len(area) / 8)
	area[len(area)-1] = 0
	area[len(area)-1] = sum(area)
	head := []byte{1, 0, 0, 0, 1, 0, 0, 0}
	var more []byte
	if watts > 0 {
		head[5] = byte(1 + len(area)/8)
		body := make([]byte, 24)
		binary.LittleEndian.PutUint16(body, watts)
		more = []byte{0x00, 0x82, byte(len(body)), sum(body), 0}
		more[4] = sum(more)
		more = append(more, body...)
	}
	head[7] = sum(head)
	return append(append(head, area...), more...)
}

// summed is b filled up to a multiple of eight bytes, with room for its checksum in the last.
func summed(b []byte) []byte {
	b = append(b, 0)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// sum is the byte that makes the sum of b zero.
func sum(b []byte) byte {
	var s byte
	for _, x := range b {
		s -= x
	}
	return s
}

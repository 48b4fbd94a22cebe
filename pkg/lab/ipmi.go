package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

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

// IPMI is a BMC that speaks RMCP+ (cipher suites 3 and 17): go-ipmi's reference server with sensors that can be changed
// while it runs.
type IPMI struct {
	server   *server.Server
	conn     *udp.Conn
	cancel   context.CancelFunc
	done     chan struct{}
	requests atomic.Int64

	mu       sync.Mutex
	readings map[byte][]byte // data of Get Sensor Reading by sensor number
	off      bool
}

// ServeIPMI serves a BMC on a UDP address with one user, who may log in as administrator.
func ServeIPMI(addr, user, password string, sensors []IPMISensor) (*IPMI, error) {
	hal := mock.New()
	for i, s := range sensors {
		id := uint16(i + 1)
		if err := hal.Storage().SDR().Write(context.Background(), id, s.record(id)); err != nil {
			return nil, fmt.Errorf("sensor %s: %w", s.Name, err)
		}
	}
	var guid [16]byte
	copy(guid[:], "sparewatch-lab")
	device := bmc.New(bmc.DeviceInfo{DeviceID: 32, DeviceRevision: 1, FirmwareMajor: 2, FirmwareMinor: 0x10, IPMIVersion: 0x20, ManufacturerID: 343,
		ProductID: 1, AdditionalDeviceSupport: 0xbf}, guid, hal, bmc.WithClock(clock.Real))
	account, err := device.Users.Add(2, user)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", user, err)
	}
	account.SetPassword([]byte(password))
	account.Enabled = true
	account.ChannelAccess[1] = bmc.UserChannelAccess{MaxPrivilege: bmc.PrivilegeLevelAdministrator, Enabled: true}

	conn, err := udp.Listen(loopback(addr))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	b := &IPMI{conn: conn, done: make(chan struct{}), readings: map[byte][]byte{}}
	registry := handlers.NewRegistry()
	registry.Use(func(next handlers.Handler) handlers.Handler {
		return handlers.HandlerFunc(func(ctx context.Context, h *handlers.HandlerContext, data []byte) ([]byte, types.CompletionCode, error) {
			b.requests.Add(1)
			return next.Handle(ctx, h, data)
		})
	})
	handlers.RegisterAllHandlers(registry)
	registry.RegisterFunc(types.CommandGetSensorReading, b.reading)
	registry.RegisterFunc(types.CommandGetChassisStatus, b.chassis)
	b.server = server.NewServer(device, conn, server.WithHandlerRegistry(registry))
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(b.done)
		_ = b.server.Serve(ctx)
	}()
	return b, nil
}

// URL is ipmi://host:port.
func (b *IPMI) URL() string {
	return "ipmi://" + netip.MustParseAddrPort(b.conn.LocalAddr().String()).String()
}

// Requests is how many commands have come in.
func (b *IPMI) Requests() int { return int(b.requests.Load()) }

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

// Power switches the chassis on or off.
func (b *IPMI) Power(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off = !on
}

func (b *IPMI) set(number byte, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readings[number] = data
}

// Close ends the BMC and waits for it.
func (b *IPMI) Close() error {
	b.cancel()
	err := b.server.Close()
	_ = b.conn.Close()
	<-b.done
	return err
}

func (b *IPMI) reading(_ context.Context, _ *handlers.HandlerContext, data []byte) ([]byte, types.CompletionCode, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(data) < 1 {
		return nil, types.CodeRequestDataLengthInvalid, nil
	}
	if r, ok := b.readings[data[0]]; ok {
		return append([]byte(nil), r...), types.CodeOK, nil
	}
	return nil, types.CodeRequestedDataNotPresent, nil
}

func (b *IPMI) chassis(context.Context, *handlers.HandlerContext, []byte) ([]byte, types.CompletionCode, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.off {
		return []byte{0x60, 0, 0}, types.CodeOK, nil
	}
	return []byte{0x61, 0, 0}, types.CodeOK, nil
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

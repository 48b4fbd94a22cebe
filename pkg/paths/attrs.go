package paths

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// store keeps each set of attributes once, as bytes in large blocks, and counts who uses it. Number 0 is nobody's.
// Only what bears on the choice of a path is kept; two paths that differ in other communities are equal here.
type store struct {
	seed   maphash.Seed
	blocks [][]byte
	at     []uint64 // by number: block<<32 | offset
	uses   []uint32
	sums   []uint32 // hashes, to grow the index without reading
	free   []uint32
	index  []uint32 // numbers by hash; 0: free
	live   int
	used   int64 // bytes in use
	dead   int64
	buf    []byte
}

const blockLen = 1 << 20

func newStore() *store {
	return &store{seed: maphash.MakeSeed(), at: make([]uint64, 1), uses: make([]uint32, 1), sums: make([]uint32, 1), index: make([]uint32, 16)}
}

// intern returns the number of the attributes. The caller holds no use of it yet: see take.
func (s *store) intern(a *bgp.Attributes, hop netip.Addr, status Status) uint32 {
	s.buf = encode(s.buf[:0], a, hop, status)
	sum := uint32(maphash.Bytes(s.seed, s.buf))
	mask := uint32(len(s.index) - 1)
	i := sum & mask
	for ; s.index[i] != 0; i = (i + 1) & mask {
		if n := s.index[i]; s.sums[n] == sum && string(s.bytesOf(n)) == string(s.buf) {
			return n
		}
	}
	n := s.number()
	s.sums[n] = sum
	s.at[n] = s.write(s.buf)
	s.index[i] = n
	s.live++
	if s.live*4 > len(s.index)*3 {
		s.growIndex()
	}
	return n
}

func (s *store) number() uint32 {
	if last := len(s.free) - 1; last >= 0 {
		n := s.free[last]
		s.free = s.free[:last]
		return n
	}
	s.at, s.uses, s.sums = append(s.at, 0), append(s.uses, 0), append(s.sums, 0)
	return uint32(len(s.at) - 1)
}

// write appends bytes behind their length.
func (s *store) write(b []byte) uint64 {
	need := len(b) + 4
	last := len(s.blocks) - 1
	if last < 0 || cap(s.blocks[last])-len(s.blocks[last]) < need {
		size := int(min(max(4<<10, s.used), blockLen)) // a small table takes little
		s.blocks = append(s.blocks, make([]byte, 0, max(size, need)))
		last++
	}
	block := s.blocks[last]
	offset := len(block)
	block = binary.LittleEndian.AppendUint32(block, uint32(len(b)))
	s.blocks[last] = append(block, b...)
	s.used += int64(need)
	return uint64(last)<<32 | uint64(offset)
}

func (s *store) bytesOf(n uint32) []byte {
	at := s.at[n]
	block := s.blocks[at>>32]
	offset := int(uint32(at))
	size := int(binary.LittleEndian.Uint32(block[offset:]))
	return block[offset+4 : offset+4+size]
}

func (s *store) take(n uint32) { s.uses[n]++ }

// drop gives a use back. What nobody uses is forgotten.
func (s *store) drop(n uint32) {
	if s.uses[n]--; s.uses[n] > 0 {
		return
	}
	s.forget(n)
}

func (s *store) forget(n uint32) {
	mask := uint32(len(s.index) - 1)
	i := s.sums[n] & mask
	for s.index[i] != n {
		i = (i + 1) & mask
	}
	for at := (i + 1) & mask; s.index[at] != 0; at = (at + 1) & mask {
		home := s.sums[s.index[at]] & mask
		if (at-home)&mask >= (at-i)&mask {
			s.index[i] = s.index[at]
			i = at
		}
	}
	s.index[i] = 0
	s.live--
	size := int64(len(s.bytesOf(n)) + 4)
	s.used -= size
	s.dead += size
	s.free = append(s.free, n)
	if s.live == 0 { // nobody holds a number any more
		*s = store{seed: s.seed, at: make([]uint64, 1), uses: make([]uint32, 1), sums: make([]uint32, 1), index: make([]uint32, 16), buf: s.buf}
		return
	}
	if s.dead > s.used && s.dead > 4*blockLen {
		s.compact()
	}
}

// compact writes what is in use into new blocks.
func (s *store) compact() {
	old := s.blocks
	s.blocks, s.used, s.dead = nil, 0, 0
	for _, n := range s.index {
		if n == 0 {
			continue
		}
		at := s.at[n]
		block, offset := old[at>>32], int(uint32(at))
		size := int(binary.LittleEndian.Uint32(block[offset:]))
		s.at[n] = s.write(block[offset+4 : offset+4+size])
	}
}

func (s *store) growIndex() {
	old := s.index
	s.index = make([]uint32, 2*len(old))
	mask := uint32(len(s.index) - 1)
	for _, n := range old {
		if n == 0 {
			continue
		}
		i := s.sums[n] & mask
		for s.index[i] != 0 {
			i = (i + 1) & mask
		}
		s.index[i] = n
	}
}

func (s *store) bytes() int64 {
	var n int64
	for _, b := range s.blocks {
		n += int64(cap(b))
	}
	return n + int64(cap(s.at))*8 + int64(cap(s.uses)+cap(s.sums)+cap(s.free)+cap(s.index))*4
}

// Which fields follow in the bytes of attributes.
const (
	withMED = 1 << iota
	withLocalPref
	withOriginator
	withAtomic
	withStatus
)

// encode writes the attributes: flags, origin, marks, clusters, next hop, optional numbers, and the AS path's segments.
func encode(b []byte, a *bgp.Attributes, hop netip.Addr, status Status) []byte {
	var flags byte
	if status != 0 {
		flags |= withStatus
	}
	if a.HasMED {
		flags |= withMED
	}
	if a.HasLocalPref {
		flags |= withLocalPref
	}
	if a.OriginatorID.IsValid() {
		flags |= withOriginator
	}
	if a.Atomic {
		flags |= withAtomic
	}
	b = append(b, flags, byte(a.Origin), byte(a.Marks), byte(min(a.Clusters, 255)))
	b = appendAddr(b, hop)
	if a.HasMED {
		b = binary.BigEndian.AppendUint32(b, a.MED)
	}
	if a.HasLocalPref {
		b = binary.BigEndian.AppendUint32(b, a.LocalPref)
	}
	if a.OriginatorID.IsValid() {
		b = appendAddr(b, a.OriginatorID)
	}
	if status != 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(status))
	}
	for _, s := range a.ASPath {
		for asns := s.ASNs; len(asns) > 0; {
			n := min(len(asns), 255)
			b = append(b, byte(s.Type), byte(n))
			for _, as := range asns[:n] {
				b = binary.BigEndian.AppendUint32(b, uint32(as))
			}
			asns = asns[n:]
		}
	}
	return b
}

func appendAddr(b []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		v := a.As4()
		return append(append(b, 4), v[:]...)
	case a.Is6():
		v := a.As16()
		return append(append(b, 16), v[:]...)
	}
	return append(b, 0)
}

func readAddr(b []byte) (netip.Addr, []byte) {
	n := int(b[0])
	switch n {
	case 4:
		return netip.AddrFrom4([4]byte(b[1:5])), b[5:]
	case 16:
		return netip.AddrFrom16([16]byte(b[1:17])), b[17:]
	}
	return netip.Addr{}, b[1:]
}

// attributes are what the number stands for, in memory of their own.
func (s *store) attributes(n uint32) (a bgp.Attributes, status Status) {
	b := s.bytesOf(n)
	flags := b[0]
	a = bgp.Attributes{Origin: bgp.Origin(b[1]), Marks: bgp.Marks(b[2]), Clusters: int(b[3]), Atomic: flags&withAtomic != 0}
	a.NextHop, b = readAddr(b[4:])
	if flags&withMED != 0 {
		a.MED, a.HasMED, b = binary.BigEndian.Uint32(b), true, b[4:]
	}
	if flags&withLocalPref != 0 {
		a.LocalPref, a.HasLocalPref, b = binary.BigEndian.Uint32(b), true, b[4:]
	}
	if flags&withOriginator != 0 {
		a.OriginatorID, b = readAddr(b)
	}
	if flags&withStatus != 0 {
		status, b = Status(binary.BigEndian.Uint16(b)), b[2:]
	}
	for len(b) > 0 {
		seg := bgp.Segment{Type: bgp.SegmentType(b[0]), ASNs: make([]bgp.ASN, b[1])}
		b = b[2:]
		for i := range seg.ASNs {
			seg.ASNs[i], b = bgp.ASN(binary.BigEndian.Uint32(b)), b[4:]
		}
		a.ASPath = append(a.ASPath, seg)
	}
	return a, status
}

package paths

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// flat is a hash table of paths: prefix and extra (a path id, or the number of a route distinguisher with its path id)
// to the number of their attributes. It has no pointers inside, about 15 to 27 bytes a path for IPv4.
//
// Entries of one prefix lie in one run, so that all its paths are found at once. Deleting moves what follows back, so
// nothing is left behind.
type flat[K comparable] struct {
	keys    []K
	attrs   []uint32 // 0: free
	n       int
	shift   uint
	lengths [129]int32 // how many paths have a prefix of this length
	code    coder[K]
}

// coder makes keys of prefixes.
type coder[K comparable] struct {
	key    func(p netip.Prefix, extra uint32) K
	prefix func(K) (netip.Prefix, uint32)
	hash   func(K) uint64
}

// runLimit bounds how far a lookup goes: a neighbour that gives one prefix more path ids than this is sick.
const runLimit = 4096

func newFlat[K comparable](c coder[K]) *flat[K] { return &flat[K]{code: c} }

func (f *flat[K]) home(k K) int { return int(f.code.hash(k) >> f.shift) }

// find returns the slot of the key, or where it would stand; found says which. ok is false where the run is too long.
func (f *flat[K]) find(k K) (slot int, found, ok bool) {
	mask := len(f.keys) - 1
	at := f.home(k)
	for range runLimit {
		if f.attrs[at] == 0 {
			return at, false, true
		}
		if f.keys[at] == k {
			return at, true, true
		}
		at = (at + 1) & mask
	}
	return 0, false, false
}

// set stores the attributes of a path and returns those that it had; 0: it is new. ok is false where it was refused.
func (f *flat[K]) set(p netip.Prefix, extra, attr uint32) (was uint32, ok bool) {
	if (f.n+1)*8 > len(f.keys)*7 {
		f.grow(max(8, len(f.keys)*2))
	}
	k := f.code.key(p, extra)
	slot, found, ok := f.find(k)
	if !ok {
		return 0, false
	}
	if found {
		was, f.attrs[slot] = f.attrs[slot], attr
		return was, true
	}
	f.keys[slot], f.attrs[slot] = k, attr
	f.n++
	f.lengths[p.Bits()]++
	return 0, true
}

// remove forgets a path and returns its attributes; 0: it was not there.
func (f *flat[K]) remove(p netip.Prefix, extra uint32) uint32 {
	if f.n == 0 {
		return 0
	}
	slot, found, _ := f.find(f.code.key(p, extra))
	if !found {
		return 0
	}
	was := f.attrs[slot]
	mask := len(f.keys) - 1
	hole := slot
	for at := (slot + 1) & mask; f.attrs[at] != 0; at = (at + 1) & mask {
		home := f.home(f.keys[at])
		if (at-home)&mask >= (at-hole)&mask {
			f.keys[hole], f.attrs[hole] = f.keys[at], f.attrs[at]
			hole = at
		}
	}
	f.attrs[hole] = 0
	f.n--
	f.lengths[p.Bits()]--
	if len(f.keys) > 1024 && f.n*8 < len(f.keys) {
		f.grow(len(f.keys) / 4)
	}
	return was
}

func (f *flat[K]) grow(size int) {
	keys, attrs := f.keys, f.attrs
	f.keys, f.attrs = make([]K, size), make([]uint32, size)
	f.shift = uint(64 - bits.TrailingZeros(uint(size)))
	mask := size - 1
	for i, a := range attrs {
		if a == 0 {
			continue
		}
		at := f.home(keys[i])
		for f.attrs[at] != 0 {
			at = (at + 1) & mask
		}
		f.keys[at], f.attrs[at] = keys[i], a
	}
}

// each calls do for every path of exactly this prefix.
func (f *flat[K]) each(p netip.Prefix, do func(extra, attr uint32)) {
	if f.n == 0 || f.lengths[p.Bits()] == 0 {
		return
	}
	mask := len(f.keys) - 1
	at := f.home(f.code.key(p, 0))
	for range runLimit {
		if f.attrs[at] == 0 {
			return
		}
		if q, extra := f.code.prefix(f.keys[at]); q == p {
			do(extra, f.attrs[at])
		}
		at = (at + 1) & mask
	}
}

// all calls do for every path.
func (f *flat[K]) all(do func(p netip.Prefix, extra, attr uint32)) {
	for i, a := range f.attrs {
		if a != 0 {
			p, extra := f.code.prefix(f.keys[i])
			do(p, extra, a)
		}
	}
}

func (f *flat[K]) len() int { return f.n }

// has reports whether any path has a prefix of this length.
func (f *flat[K]) has(length int) bool { return f.lengths[length] > 0 }

func (f *flat[K]) bytes() int64 {
	var k K
	return int64(len(f.keys))*int64(sizeOf(k)+4) + 600
}

// prefixes is a flat table of whatever key.
type prefixes interface {
	set(p netip.Prefix, extra, attr uint32) (was uint32, ok bool)
	remove(p netip.Prefix, extra uint32) uint32
	each(p netip.Prefix, do func(extra, attr uint32))
	all(do func(p netip.Prefix, extra, attr uint32))
	has(length int) bool
	len() int
	bytes() int64
}

// key4 is an IPv4 prefix: address, then length. key4x has an extra behind it.
type (
	key4  uint64
	key4x struct {
		key4  uint64
		extra uint32
	}
	key6 struct {
		hi, lo uint64
		bits   uint8
	}
	key6x struct {
		hi, lo uint64
		extra  uint32
		bits   uint8
	}
)

func sizeOf(k any) int {
	switch k.(type) {
	case key4:
		return 8
	case key4x:
		return 16
	}
	return 24
}

func pack4(p netip.Prefix) uint64 {
	a := p.Addr().As4()
	return uint64(binary.BigEndian.Uint32(a[:]))<<8 | uint64(p.Bits())
}

func unpack4(k uint64) netip.Prefix {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(k>>8))
	return netip.PrefixFrom(netip.AddrFrom4(a), int(k&0xff))
}

func pack6(p netip.Prefix) (hi, lo uint64) {
	a := p.Addr().As16()
	return binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
}

func unpack6(hi, lo uint64, bits uint8) netip.Prefix {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], hi)
	binary.BigEndian.PutUint64(a[8:], lo)
	return netip.PrefixFrom(netip.AddrFrom16(a), int(bits))
}

// mix spreads a key over all bits; seed keeps a neighbour from choosing prefixes that fall on one another.
func mix(x, seed uint64) uint64 {
	hi, lo := bits.Mul64(x^seed, 0x9e3779b97f4a7c15^seed<<1|1)
	x = hi ^ lo
	hi, lo = bits.Mul64(x^0xd6e8feb86659fd93, 0xa0761d6478bd642f)
	return hi ^ lo
}

// newPrefixes makes a table for a family. Where extra stands for a VPN it takes part in the hash: one prefix may be in
// thousands of VPNs.
func newPrefixes(f bgp.Family, extras bool, seed uint64) prefixes {
	vpn := f.SAFI() == 128
	switch {
	case f.AFI() == 1 && !extras:
		return newFlat(coder[key4]{
			key:    func(p netip.Prefix, _ uint32) key4 { return key4(pack4(p)) },
			prefix: func(k key4) (netip.Prefix, uint32) { return unpack4(uint64(k)), 0 },
			hash:   func(k key4) uint64 { return mix(uint64(k), seed) },
		})
	case f.AFI() == 1:
		return newFlat(coder[key4x]{
			key:    func(p netip.Prefix, extra uint32) key4x { return key4x{pack4(p), extra} },
			prefix: func(k key4x) (netip.Prefix, uint32) { return unpack4(k.key4), k.extra },
			hash: func(k key4x) uint64 {
				if vpn {
					return mix(k.key4^uint64(k.extra)<<40, seed)
				}
				return mix(k.key4, seed)
			},
		})
	case !extras:
		return newFlat(coder[key6]{
			key: func(p netip.Prefix, _ uint32) key6 {
				hi, lo := pack6(p)
				return key6{hi, lo, uint8(p.Bits())}
			},
			prefix: func(k key6) (netip.Prefix, uint32) { return unpack6(k.hi, k.lo, k.bits), 0 },
			hash:   func(k key6) uint64 { return mix(mix(k.hi, seed)^k.lo^uint64(k.bits)<<56, seed) },
		})
	}
	return newFlat(coder[key6x]{
		key: func(p netip.Prefix, extra uint32) key6x {
			hi, lo := pack6(p)
			return key6x{hi, lo, extra, uint8(p.Bits())}
		},
		prefix: func(k key6x) (netip.Prefix, uint32) { return unpack6(k.hi, k.lo, k.bits), k.extra },
		hash: func(k key6x) uint64 {
			h := mix(k.hi, seed) ^ k.lo ^ uint64(k.bits)<<56
			if vpn {
				h ^= uint64(k.extra) << 20
			}
			return mix(h, seed)
		},
	})
}

package bench

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/bits"
)

// rng is a small random number generator (wyrand): two multiplications a
// number, no allocation, and the same numbers on every machine and Go version,
// which math/rand does not promise for all its functions.
type rng struct{ state uint64 }

// seeded returns a generator that depends on all its arguments.
func seeded(seed uint64, name string, n int64) rng {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rng{state: seed ^ h.Sum64()}
	r.state ^= r.next() + uint64(n)*0x9e3779b97f4a7c15
	r.next()
	return r
}

func (r *rng) next() uint64 {
	r.state += 0xa0761d6478bd642f
	hi, lo := bits.Mul64(r.state, r.state^0xe7037ed1a0b428db)
	return hi ^ lo
}

// n returns a number in [0, max); 0 if max is not positive.
func (r *rng) n(max int64) int64 {
	if max <= 0 {
		return 0
	}
	hi, _ := bits.Mul64(r.next(), uint64(max))
	return int64(hi)
}

// skewed returns a number in [0, max), small ones much more often: the product
// of two even draws.
func (r *rng) skewed(max int64) int64 {
	x := r.next()
	hi, _ := bits.Mul64((x>>32)*(x&0xffffffff), uint64(max))
	return int64(hi)
}

// unit returns a number in [0, 1).
func (r *rng) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// normal returns a normally distributed number.
func (r *rng) normal() float64 {
	u := 1 - r.unit()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*r.unit())
}

// fill writes random bytes.
func (r *rng) fill(b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, r.next())
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], r.next())
		copy(b, last[:])
	}
}

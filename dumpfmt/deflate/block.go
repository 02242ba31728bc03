package deflate

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// windowSize is how far back a match may reach, in bytes.
const windowSize = 32 << 10

// A stream follows the blocks of one deflate stream after the other.
type stream struct {
	*bitReader
	lit, dist huffman
	fixed     bool  // lit and dist are the fixed codes
	out       int64 // bytes of text so far

	table skipTable
	ready bool // table is that of lit and dist
}

var (
	errBlockType   = errors.New("reserved block type")
	errTooMany     = errors.New("more codes than there are symbols")
	errNoEnd       = errors.New("no code for the end of the block")
	errNoRepeat    = errors.New("repeat without a code length before it")
	errRepeat      = errors.New("repeated code length beyond the last code")
	errInvalidCode = errors.New("bits that are no code")
)

// walk follows a stream from its first bit and returns the offsets, in bits of
// the file, of its last block's first bit and of its end.
func (s *stream) walk() (last, end int64, err error) {
	s.out = 0
	for {
		last = s.bitOffset()
		final, stored, err := s.readHeader()
		switch {
		case err != nil:
		case stored:
			err = s.stored()
		default:
			err = s.codes()
		}
		if err != nil {
			return 0, 0, err
		}
		if final {
			return last, s.bitOffset(), nil
		}
	}
}

// readHeader reads what a block begins with, its codes included.
func (s *stream) readHeader() (final, stored bool, err error) {
	header, err := s.take(3)
	if err != nil {
		return false, false, err
	}
	switch header >> 1 {
	case 0:
		stored = true
	case 1:
		s.useFixed()
	case 2:
		err = s.readCodes()
	default:
		err = errBlockType
	}
	return header&1 != 0, stored, err
}

// stored goes past a block that is not compressed.
func (s *stream) stored() error {
	n, err := s.readStored()
	if err != nil {
		return err
	}
	s.out += int64(n)
	return s.discard(n)
}

// readStored reads the length of a block that is not compressed. What follows
// are its bytes.
func (s *stream) readStored() (int, error) {
	s.align()
	v, err := s.readUint32()
	if err != nil {
		return 0, err
	}
	n, complement := uint16(v), uint16(v>>16)
	if n != ^complement {
		return 0, fmt.Errorf("length %d of a stored block and its complement %d do not agree", n, complement)
	}
	return int(n), nil
}

func (s *stream) useFixed() {
	if s.fixed {
		return
	}
	lit, dist := fixedLens()
	if s.lit.build(lit[:], false) != nil || s.dist.build(dist[:], false) != nil {
		panic("odx: internal error: fixed codes of deflate are wrong")
	}
	s.fixed, s.ready = true, false
}

// lenOrder is the order in which the lengths of the code length codes come.
var lenOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readCodes reads the codes of a block that brings its own.
func (s *stream) readCodes() error {
	s.fixed, s.ready = false, false
	v, err := s.take(14)
	if err != nil {
		return err
	}
	numLit, numDist, numLen := v&31+257, v>>5&31+1, v>>10+4
	if numLit > maxLitCodes || numDist > maxDistCodes {
		return errTooMany
	}
	var order [len(lenOrder)]uint8
	for _, sym := range lenOrder[:numLen] {
		n, err := s.take(3)
		if err != nil {
			return err
		}
		order[sym] = uint8(n)
	}
	// The literal codes are made from what these decode, so they may lend
	// their place until then.
	if err := s.lit.build(order[:], false); err != nil {
		return err
	}
	var lens [maxLitCodes + maxDistCodes]uint8
	if err := s.readLens(lens[:numLit+numDist]); err != nil {
		return err
	}
	if lens[endOfBlock] == 0 {
		return errNoEnd
	}
	if err := s.lit.build(lens[:numLit], true); err != nil {
		return err
	}
	return s.dist.build(lens[numLit:numLit+numDist], true)
}

// readLens decodes code lengths with the code in lit.
func (s *stream) readLens(lens []uint8) error {
	for i := 0; i < len(lens); {
		s.more(maxCodeLen)
		sym, n := s.lit.decode(s.bits)
		if n == 0 {
			return s.invalid()
		}
		if err := s.skip(n); err != nil {
			return err
		}
		if sym < 16 {
			lens[i] = uint8(sym)
			i++
			continue
		}
		if sym == 16 && i == 0 {
			return errNoRepeat
		}
		repeat, err := s.readRepeat(sym)
		if err != nil {
			return err
		}
		if i+repeat > len(lens) {
			return errRepeat
		}
		for range repeat {
			if sym == 16 { // the others repeat the zero that is there
				lens[i] = lens[i-1]
			}
			i++
		}
	}
	return nil
}

// readRepeat reads how often code length symbol 16, 17 or 18 is repeated.
func (s *stream) readRepeat(sym uint) (int, error) {
	extra, base := uint(2), uint(3)
	switch sym {
	case 17:
		extra = 3
	case 18:
		extra, base = 7, 11
	}
	v, err := s.take(extra)
	return int(base + v), err
}

// invalid is the error of bits that are no code, which at the end of the file
// may be no bits at all.
func (s *stream) invalid() error {
	if s.n < maxCodeLen {
		return s.short()
	}
	return errInvalidCode
}

// codes follows the symbols of a block up to its end.
func (s *stream) codes() error {
	for {
		// Before there is a window full of text, every distance has to be
		// looked at; near the end of the buffer, every bit.
		if s.out >= windowSize && s.end-s.pos >= fastMargin {
			if !s.ready {
				s.table.build(&s.lit, &s.dist)
				s.ready = true
			}
			if s.fast() {
				if err := s.match(); err != nil {
					return err
				}
			}
		}
		done, err := s.symbol()
		if done || err != nil {
			return err
		}
	}
}

// symbol goes past one symbol, with its distance if it is a match. It returns
// whether it was the end of the block.
func (s *stream) symbol() (done bool, err error) {
	sym, length, err := s.readSymbol()
	switch {
	case err != nil || sym == endOfBlock:
		return err == nil, err
	case sym > endOfBlock:
		if err := s.match(); err != nil {
			return false, err
		}
	}
	s.out += int64(length)
	return false, nil
}

// readSymbol reads a literal, the end of a block or, up to its distance, a
// match. It returns the symbol and how many bytes of text it makes.
func (s *stream) readSymbol() (sym, length uint, err error) {
	s.more(maxCodeLen + 5) // the longest code and its extra bits
	sym, n := s.lit.decode(s.bits)
	if n == 0 {
		return 0, 0, s.invalid()
	}
	if err := s.skip(n); err != nil {
		return 0, 0, err
	}
	switch {
	case sym < endOfBlock:
		return sym, 1, nil
	case sym == endOfBlock:
		return sym, 0, nil
	case sym >= maxLitCodes:
		return 0, 0, errInvalidCode
	}
	i := sym - endOfBlock - 1
	extra, err := s.take(uint(lenExtra[i]))
	return sym, uint(lenBase[i]) + extra, err
}

// match goes past a distance.
func (s *stream) match() error {
	_, err := s.readDistance(s.out)
	return err
}

// readDistance reads how far back in so much text a match is.
func (s *stream) readDistance(text int64) (int, error) {
	s.more(maxCodeLen + 13) // the longest code and its extra bits
	sym, n := s.dist.decode(s.bits)
	if n == 0 {
		return 0, s.invalid()
	}
	if err := s.skip(n); err != nil {
		return 0, err
	}
	if sym >= maxDistCodes {
		return 0, errInvalidCode
	}
	extra, err := s.take(distExtra(sym))
	if err != nil {
		return 0, err
	}
	dist := int(distBase(sym) + extra)
	if int64(dist) > text {
		return 0, fmt.Errorf("distance %d after %d bytes of text", dist, text)
	}
	return dist, nil
}

// fastMargin is how many bytes fast may take from the buffer without looking
// whether they are there: two loads, the second up to seven bytes further on.
const fastMargin = 16

// fast follows symbols with the skip table until one comes that is not in it
// or the buffer is near its end. It returns whether the distance of a match is
// left for match to go past.
//
// bits always has more than the largest step needs: an entry takes at most
// skipBits + 13 bits, where 13 are those after a distance code.
func (s *stream) fast() (distance bool) {
	lit := (*[skipSize]uint32)(s.table[:skipSize])
	dist := (*[skipSize]uint32)(s.table[skipSize:])
	buf, pos, b, n, out := s.buf[:s.end], s.pos, s.bits, s.n, uint64(0)
	for last := len(buf) - fastMargin; pos <= last; {
		b |= binary.LittleEndian.Uint64(buf[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56
		e := lit[b&skipLow]
		if e < skipDistance {
			b >>= e & skipTotal
			n -= uint(e & skipTotal)
			out += uint64(e >> skipOutShift & skipOutMask)
			e = lit[b&skipLow]
		}
		if e >= skipUnknown {
			break
		}
		b >>= e & skipTotal
		n -= uint(e & skipTotal)
		out += uint64(e >> skipOutShift & skipOutMask)
		if e < skipDistance {
			continue
		}
		if n < skipBits+13 {
			b |= binary.LittleEndian.Uint64(buf[pos:]) << (n & 63)
			pos += int(63-n) >> 3
			n |= 56
		}
		e = dist[b&skipLow]
		if e >= skipUnknown {
			distance = true
			break
		}
		b >>= e & skipTotal
		n -= uint(e & skipTotal)
	}
	s.pos, s.bits, s.n = pos, b, n
	s.out += int64(out)
	return distance
}

package convert

import "io"

// Meter shows how far a conversion is. Its methods are called from several
// goroutines. Bytes are those of the source.
type Meter interface {
	Start(total int64)
	Add(n int64)
	Item() // a table or a large object
}

// noMeter is a Meter that nobody looks at.
type noMeter struct{}

func (noMeter) Start(int64) {}
func (noMeter) Add(int64)   {}
func (noMeter) Item()       {}

// usualRatio is how many bytes of a database's text a byte of compressed data
// commonly stands for.
const usualRatio = 5

// share counts the bytes on disk of one entry while its text passes by. How the
// two go together is known at the end only; until then it is guessed.
type share struct {
	io.Writer
	meter Meter
	left  int64 // of the entry's bytes on disk
	text  int64 // not accounted for yet
}

func (s *share) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.text += int64(n)
	if part := min(s.text/usualRatio, s.left); part > 0 {
		s.meter.Add(part)
		s.left -= part
		s.text -= part * usualRatio
	}
	return n, err
}

// done counts the rest.
func (s *share) done() { s.meter.Add(s.left) }

package odoozip

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// A RawMember is a member whose data the caller makes, such as a dump.sql that
// is joined of pieces which are compressed already. Writing waits until the
// members before it are written.
//
// While it is open, members may be added to the Writer from another goroutine:
// they are compressed ahead as far as the Writer's memory goes. From the same
// goroutine that would wait for ever.
type RawMember struct {
	z      *Writer
	entry  *entry
	length int64         // of the text as announced, -1 if it was not
	turn   chan struct{} // closed when the member's turn has come
	ended  chan struct{} // closed by Close

	mu   sync.Mutex // held while writing
	size int64
	dead bool // closed, or the Writer has failed
}

var (
	_ io.Writer     = (*RawMember)(nil)
	_ io.ReaderFrom = (*RawMember)(nil)
)

// CreateRaw adds a member whose data is written to the RawMember: a raw deflate
// stream or, if method is Store, the text itself.
func (z *Writer) CreateRaw(h Header, method uint16) (*RawMember, error) {
	if err := z.usable(); err != nil {
		return nil, err
	}
	e, err := h.entry()
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(h.Name, "/") || method != Store && method != Deflate {
		return nil, fmt.Errorf("%s: neither stored nor deflated", memberField(h.Name))
	}
	e.method = method
	m := &RawMember{z: z, entry: e, length: h.Length, turn: make(chan struct{}), ended: make(chan struct{})}
	return m, z.submit(&job{kind: rawJob, entry: e, raw: m, charge: jobCharge})
}

// pass gives the turn to the member and waits until it is through. It is called
// when all before it is written.
func (m *RawMember) pass() {
	if err := m.z.failed(); err == nil {
		if err := m.z.out.begin(m.entry); err != nil {
			_ = m.z.fail(err) // found by the next call
		}
	}
	close(m.turn)
	select {
	case <-m.ended:
	case <-m.z.ctx.Done():
	}
	m.mu.Lock() // waits for a write that is under way
	m.dead = true
	m.mu.Unlock()
}

// begin waits for the member's turn. Without an error mu is locked.
func (m *RawMember) begin() error {
	select {
	case <-m.turn:
	case <-m.z.ctx.Done():
		return m.z.failed()
	}
	m.mu.Lock()
	err := m.z.failed()
	if err == nil && m.dead {
		err = ErrClosed
	}
	if err != nil {
		m.mu.Unlock()
	}
	return err
}

// Write adds data.
func (m *RawMember) Write(data []byte) (int, error) {
	if err := m.begin(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n, err := m.z.out.Write(data)
	m.size += int64(n)
	if err != nil {
		return n, m.z.fail(err)
	}
	return n, nil
}

// ReadFrom adds all of src. From file to file, the system may copy without the
// bytes passing through memory. An error of src ends the whole zip.
func (m *RawMember) ReadFrom(src io.Reader) (int64, error) {
	if err := m.begin(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n, err := m.z.out.ReadFrom(src)
	m.size += n
	if err != nil {
		return n, m.z.fail(err)
	}
	return n, nil
}

// Close ends the member, whose text has the given CRC-32 and length in bytes:
// they are written as they are. The zip goes on only after that.
func (m *RawMember) Close(crc uint32, length int64) error {
	if err := m.begin(); err != nil {
		return err
	}
	defer m.mu.Unlock()
	e := m.entry
	e.crc, e.size, e.length = crc, uint64(m.size), uint64(length)
	if err := m.check(length); err != nil {
		return m.z.fail(fmt.Errorf("%s: %w", memberField(e.name), err))
	}
	m.dead = true
	close(m.ended)
	return nil
}

// check finds what cannot be the data of such a text.
func (m *RawMember) check(length int64) error {
	switch {
	case length < 0:
		return fmt.Errorf("length %d", length)
	case m.length >= 0 && length != m.length:
		return fmt.Errorf("%w: not %d bytes", ErrChanged, m.length)
	case m.entry.method == Store && length != m.size:
		return fmt.Errorf("stored, but %d bytes of text in %d", length, m.size)
	case m.entry.method == Deflate && (m.size == 0 || length/maxRatio > m.size):
		return fmt.Errorf("%d bytes of text cannot be in %d bytes of data", length, m.size)
	case !m.entry.wide && (m.size >= none32 || length >= none32):
		return errGrown
	}
	return nil
}

// Size is how many bytes of data have been written.
func (m *RawMember) Size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.size
}

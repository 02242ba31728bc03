package pgcopy

import (
	"bufio"
	"encoding/binary"
	"io"
)

const (
	// messageHead is the bytes of a message before its body: its type, and its
	// length, in which the type is not counted.
	messageHead = 5
	copyData    = 'd'
	// readAhead is what is read from the connection at once, in bytes.
	readAhead = 64 << 10
	// leastRead is the smallest slice in bytes that is worth a message.
	leastRead = 512
)

// messages passes on what the server says, but cuts the text of a COPY anew into
// messages: the server sends one for each row, whatever its length, and pgx holds
// each of them whole and handles them one by one. Who reads gets messages of as
// many rows as were read from the connection and fit in, or of a part of a row.
// All other messages stay as they are. It is for one goroutine; an error of the
// connection, such as the end of a deadline, loses nothing.
type messages struct {
	src *bufio.Reader
	row int // bytes of a row that are still to come
	raw int // bytes of another message that are still to come, its head among them

	left  []byte // of a message that was made for a slice too small for it
	small [leastRead]byte
}

// newMessages reads through src, as server.Settings.OpenReading wants it.
func newMessages(src io.Reader) io.Reader {
	return &messages{src: bufio.NewReaderSize(src, readAhead)}
}

// Read gives a message or a part of one, never more.
func (m *messages) Read(p []byte) (int, error) {
	if len(p) >= leastRead && len(m.left) == 0 {
		return m.read(p)
	}
	if len(m.left) == 0 {
		n, err := m.read(m.small[:])
		if err != nil {
			return 0, err
		}
		m.left = m.small[:n]
	}
	n := copy(p, m.left)
	m.left = m.left[n:]
	return n, nil
}

func (m *messages) read(p []byte) (int, error) {
	for m.row == 0 && m.raw == 0 { // an empty row is skipped
		if err := m.head(); err != nil {
			return 0, err
		}
	}
	if m.raw > 0 {
		n, err := m.src.Read(p[:min(len(p), m.raw)])
		m.raw -= n
		return n, err
	}
	n, err := m.rows(p[messageHead:])
	if err != nil {
		return 0, err
	}
	p[0] = copyData
	binary.BigEndian.PutUint32(p[1:], uint32(n+messageHead-1))
	return n + messageHead, nil
}

// rows fills p with text, as far as it has been read. It waits for the first of
// it only.
func (m *messages) rows(p []byte) (n int, err error) {
	for n < len(p) && m.row > 0 && (n == 0 || m.src.Buffered() > 0) {
		k, err := m.src.Read(p[n : n+min(len(p)-n, m.row)])
		if err != nil {
			return n, err // only of the first: others are from memory
		}
		n, m.row = n+k, m.row-k
		for m.row == 0 && m.raw == 0 && m.src.Buffered() >= messageHead {
			if err := m.head(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// head looks at the head of a message, and takes it if it is of a row. A length
// that cannot be is for pgx to refuse.
func (m *messages) head() error {
	head, err := m.src.Peek(messageHead)
	if err != nil {
		return err
	}
	body := max(int(int32(binary.BigEndian.Uint32(head[1:])))-(messageHead-1), -1)
	if head[0] != copyData || body < 0 {
		m.raw = messageHead + max(body, 0)
		return nil
	}
	m.row = body
	_, err = m.src.Discard(messageHead)
	return err
}

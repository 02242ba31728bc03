package pgcopy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

const (
	// messageHead is the bytes of a message before its body: its type, and its
	// length, in which the type is not counted.
	messageHead = 5
	copyData    = 'd'
	// readAhead is what is read from the connection at once, in bytes.
	readAhead = 128 << 10
)

// messages passes on what the server says, but for the text of a COPY, which goes
// to a writer of its own: the server sends a message for each row, whatever its
// length, and pgx holds each of them whole and handles them one by one. It is for
// one goroutine; an error of the connection, such as the end of a deadline, loses
// nothing. One of the writer is given to who reads, and is the end of reading.
type messages struct {
	src *bufio.Reader
	row int // bytes of a row that are still to come
	raw int // bytes of another message that are still to come, its head among them

	text io.Writer // takes the rows; nil if there is no COPY, and messages stay as they are
}

// newMessages reads through src.
func newMessages(src io.Reader) *messages {
	return &messages{src: bufio.NewReaderSize(src, readAhead)}
}

// Read gives a message that is not of a row, or a part of one, never more. Rows
// before it are written.
func (m *messages) Read(p []byte) (int, error) {
	for m.raw == 0 {
		if err := m.rest(); err != nil {
			return 0, err
		}
		if err := m.head(); err != nil {
			return 0, err
		}
	}
	n, err := m.src.Read(p[:min(len(p), m.raw)])
	m.raw -= n
	return n, err
}

// rest writes what is still to come of a row.
func (m *messages) rest() error {
	for m.row > 0 {
		if _, err := m.src.Peek(1); err != nil { // waits, if nothing has come
			return err
		}
		text, err := m.src.Peek(min(m.row, m.src.Buffered()))
		if err != nil {
			return err
		}
		n, err := m.text.Write(text)
		m.row -= n
		_, passed := m.src.Discard(n)
		if err := errors.Join(err, passed); err != nil {
			return err
		}
	}
	return nil
}

// head looks at the head of a message, and takes it if it is of a row. A length
// that cannot be is for pgx to refuse.
func (m *messages) head() error {
	head, err := m.src.Peek(messageHead)
	if err != nil {
		return err
	}
	body := max(int(int32(binary.BigEndian.Uint32(head[1:])))-(messageHead-1), -1)
	if head[0] != copyData || body < 0 || m.text == nil {
		m.raw = messageHead + max(body, 0)
		return nil
	}
	m.row = body
	_, err = m.src.Discard(messageHead)
	return err
}

package pgcopy

import (
	"encoding/binary"
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
	src io.Reader
	buf []byte // has room for a message's head
	at  int    // of what is still to come in buf
	end int    // of what has been read into buf
	row int    // bytes of a row that are still to come
	raw int    // bytes of another message that are still to come, its head among them

	text io.Writer // takes the rows; nil if there is no COPY, and messages stay as they are
}

// newMessages reads through src.
func newMessages(src io.Reader) *messages {
	return &messages{src: src, buf: make([]byte, readAhead)}
}

// Read gives a message that is not of a row, or a part of one, never more. Rows
// before it are written.
func (m *messages) Read(p []byte) (int, error) {
	for {
		if err := m.rows(); err != nil {
			return 0, err
		}
		if n := copy(p, m.buf[m.at:min(m.end, m.at+m.raw)]); n > 0 || len(p) == 0 {
			m.at += n
			m.raw -= n
			return n, nil
		}
		if err := m.fill(); err != nil {
			return 0, err
		}
	}
}

// fill reads more. What is left in the buffer, which is no more than the beginning
// of a head, moves to its start.
func (m *messages) fill() error {
	m.end = copy(m.buf, m.buf[m.at:m.end])
	m.at = 0
	n, err := io.ReadAtLeast(m.src, m.buf[m.end:], 1)
	m.end += n
	return err
}

// rows writes the text of the rows that are in the buffer, up to a message that is
// of none. It is moved together first: to hand on rows one by one would cost more
// than all else that is done with short ones.
func (m *messages) rows() error {
	text := m.at // the end of the text that has been moved together
	start := text
	for m.raw == 0 && m.at < m.end {
		if m.row == 0 && !m.head() {
			break
		}
		n := min(m.row, m.end-m.at)
		text += copy(m.buf[text:], m.buf[m.at:m.at+n])
		m.at += n
		m.row -= n
	}
	if text == start {
		return nil
	}
	_, err := m.text.Write(m.buf[start:text])
	return err
}

// head looks at the head of a message, and takes it if it is of a row. It tells
// whether it was there. A length that cannot be is for pgx to refuse.
func (m *messages) head() bool {
	if m.end-m.at < messageHead {
		return false
	}
	head := m.buf[m.at : m.at+messageHead]
	body := max(int(int32(binary.BigEndian.Uint32(head[1:])))-(messageHead-1), -1)
	if head[0] != copyData || body < 0 || m.text == nil {
		m.raw = messageHead + max(body, 0)
		return true
	}
	m.row = body
	m.at += messageHead
	return true
}

package pgcopy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5/pgproto3"
)

// said gives messages of a server: two COPYs of rows with the lengths given and
// what stands around them.
func said(t testing.TB, lengths []int) (wire []byte, text string) {
	t.Helper()
	add := func(m pgproto3.BackendMessage) {
		var err error
		if wire, err = m.Encode(wire); err != nil {
			t.Fatal(err)
		}
	}
	var all strings.Builder
	for i := range 2 {
		add(&pgproto3.ParameterStatus{Name: "d", Value: "d\x00\x00"})
		add(&pgproto3.DataRow{Values: [][]byte{bytes.Repeat([]byte("d"), 20_000)}})
		add(&pgproto3.CopyOutResponse{ColumnFormatCodes: []uint16{0}})
		for j, n := range lengths {
			row := strings.Repeat(string(rune('a'+(i+j)%26)), n)
			all.WriteString(row)
			add(&pgproto3.CopyData{Data: []byte(row)})
			if j%7 == 3 {
				add(&pgproto3.NoticeResponse{Message: "d"})
				all.WriteString("!")
			}
		}
		add(&pgproto3.CopyDone{})
		add(&pgproto3.CommandComplete{CommandTag: []byte("COPY 9")})
		add(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		all.WriteString(";")
	}
	return wire, all.String()
}

// heard reads messages with pgx: the text, "!" for each notice and ";" for each
// end, and the names of all other messages. Where the messages' text is written
// on its way, it is passed on to all.
func heard(src io.Reader, all *strings.Builder) (text, others string, err error) {
	f := pgproto3.NewFrontend(src, io.Discard)
	var rest strings.Builder
	for {
		m, err := f.Receive()
		switch m := m.(type) {
		case *pgproto3.CopyData:
			all.Write(m.Data)
		case *pgproto3.NoticeResponse:
			all.WriteString("!" + strings.TrimPrefix(m.Message, "d"))
		case *pgproto3.ReadyForQuery:
			all.WriteString(";")
		case nil: // an error
		default:
			fmt.Fprintf(&rest, "%T%v ", m, m)
		}
		if err != nil && !errors.Is(err, iotest.ErrTimeout) {
			return all.String(), rest.String(), err
		}
	}
}

// pulled reads in slices of one length.
type pulled struct {
	src  io.Reader
	size int
}

func (p pulled) Read(b []byte) (int, error) { return p.src.Read(b[:min(len(b), p.size)]) }

// slow has every other read time out.
type slow struct {
	src io.Reader
	odd bool
}

func (s *slow) Read(b []byte) (int, error) {
	if s.odd = !s.odd; s.odd {
		return 0, iotest.ErrTimeout
	}
	return s.src.Read(b)
}

// diverted reads messages whose text goes past pgx, in slices of up to size.
func diverted(src io.Reader, size int) (text, others string, err error) {
	m, all := newMessages(src), &strings.Builder{}
	m.text = all
	return heard(pulled{m, size}, all)
}

func TestMessages(t *testing.T) {
	lengths := []int{0, 1, 2, 3, 0, 0, 5, 506, 507, 508, 8186, 8187, 8188, 70, 166_000, 1, 0}
	wire, want := said(t, lengths)
	_, wantOthers, _ := heard(bytes.NewReader(wire), &strings.Builder{})
	for name, src := range map[string]func() io.Reader{
		"whole":   func() io.Reader { return bytes.NewReader(wire) },
		"a byte":  func() io.Reader { return iotest.OneByteReader(bytes.NewReader(wire)) },
		"a half":  func() io.Reader { return iotest.HalfReader(bytes.NewReader(wire)) },
		"a page":  func() io.Reader { return pulled{bytes.NewReader(wire), 8192} },
		"timeout": func() io.Reader { return &slow{src: pulled{bytes.NewReader(wire), 1000}} },
	} {
		for _, size := range []int{1, 5, 6, 8192, 1 << 20} {
			text, others, err := diverted(src(), size)
			if err != io.ErrUnexpectedEOF || text != want || others != wantOthers {
				t.Errorf("%s, read in %d: %v, %d bytes of %d, others %t", name, size, err, len(text), len(want), others == wantOthers)
			}
		}
	}
}

// TestMessages_AsTheyAre reads rows that nobody has asked for apart.
func TestMessages_AsTheyAre(t *testing.T) {
	wire, _ := said(t, []int{0, 3, 10_000})
	got, err := io.ReadAll(newMessages(bytes.NewReader(wire)))
	if err != nil || !bytes.Equal(got, wire) {
		t.Errorf("%v, %d bytes of %d", err, len(got), len(wire))
	}
}

// refusing takes up to a number of bytes.
type refusing struct {
	left int
	err  error
}

func (r *refusing) Write(p []byte) (int, error) {
	if len(p) > r.left {
		return 0, r.err
	}
	r.left -= len(p)
	return len(p), nil
}

// TestMessages_Refused has the text's writer fail.
func TestMessages_Refused(t *testing.T) {
	wire, _ := said(t, []int{10, 20_000})
	m, want := newMessages(bytes.NewReader(wire)), errors.New("full")
	m.text = &refusing{left: 100, err: want}
	if _, err := io.ReadAll(m); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// TestMessages_Broken ends the connection at any byte, and has it say lengths
// that cannot be.
func TestMessages_Broken(t *testing.T) {
	wire, want := said(t, []int{3, 0, 600, 20})
	for _, cut := range []int{1, 4, 5, 6, len(wire) - 1, len(wire) - 6, len(wire) - 30, len(wire) - 100, len(wire) - 700} {
		text, _, err := diverted(bytes.NewReader(wire[:cut]), 8192)
		if err != io.ErrUnexpectedEOF || !strings.HasPrefix(want, text) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	for _, length := range []string{"\x00\x00\x00\x03", "\x00\x00\x00\x00", "\xff\xff\xff\xff", "\x80\x00\x00\x00"} {
		if _, _, err := diverted(strings.NewReader("d"+length+"text"), 8192); err == nil || !strings.Contains(err.Error(), "invalid message length") {
			t.Errorf("length %x: %v", length, err)
		}
	}
	if _, _, err := diverted(strings.NewReader("z\x00\x00\x00\x04"), 8192); err == nil || !strings.Contains(err.Error(), "unknown message type") {
		t.Errorf("unknown type: %v", err)
	}
}

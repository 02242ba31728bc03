package convert

import "io"

// splitter passes a script on to its reader and gives the part of it that is
// not data to text. It holds what was read ahead: a buffer of the reader and
// the SQL since the last data, but for that of large objects.
type splitter struct {
	src  io.Reader
	text io.Writer

	buf    []byte // buf[start:] was read, and neither given to text nor known as data
	start  int
	offset int64 // of buf[start] in the script
	sql    int64 // bytes given to text since the last data
}

func (s *splitter) Read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	if len(s.buf)+n > cap(s.buf) && s.start > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.start:])]
		s.start = 0
	}
	s.buf = append(s.buf, p[:n]...)
	return n, err
}

// textTo says that what stands before this offset is SQL.
func (s *splitter) textTo(offset int64) error {
	if offset <= s.offset {
		return nil
	}
	return s.flush(int(offset - s.offset))
}

// dataAt says that data start at this offset, and gives the bytes of SQL since
// the last data.
func (s *splitter) dataAt(offset int64) (sql int64, err error) {
	err = s.flush(int(offset - s.offset))
	sql, s.sql = s.sql, 0
	return sql, err
}

// skip says that the next n bytes are data.
func (s *splitter) skip(n int) {
	s.offset += int64(n)
	s.start += n
}

// flush gives the next n bytes to text.
func (s *splitter) flush(n int) error {
	m, err := s.text.Write(s.buf[s.start : s.start+n])
	s.sql += int64(m)
	s.skip(n)
	return err
}

// end gives what is left to text, and the bytes of SQL since the last data.
func (s *splitter) end() (sql int64, err error) {
	return s.dataAt(s.offset + int64(len(s.buf)-s.start))
}

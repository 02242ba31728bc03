package odoozip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"odx/dumpfmt"
)

// What is being read, for errors.
const (
	endField       = "end record"
	directoryField = "central directory"
)

var (
	errNotZip   = errors.New("not a zip")
	errCutShort = fmt.Errorf("no end record, so the file is cut short: %w", io.ErrUnexpectedEOF)
	errDisks    = fmt.Errorf("part of an archive of several disks: %w", dumpfmt.ErrUnsupported)
)

// An end is what the end records say.
type end struct {
	offset    int64 // of the first end record, zip64's if there is one
	disk      uint32
	dirDisk   uint32
	onDisk    uint64 // members on this disk
	members   uint64 // in all; modulo 2^16 without zip64
	zip64     bool
	dirSize   uint64
	dirOffset uint64
	comment   string
}

// A source reads a file at offsets and says what is wrong with it.
type source struct {
	io.ReaderAt
	size int64
	path string
}

// read fills b from an offset. What the file does not have is damage, other
// errors are passed on.
func (s *source) read(b []byte, offset int64, field string) error {
	if offset < 0 || offset > s.size-int64(len(b)) {
		return s.damaged(offset, field, io.ErrUnexpectedEOF)
	}
	n, err := s.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return s.damaged(offset, field, io.ErrUnexpectedEOF)
	}
	return s.failed(err)
}

// failed is an error of the file's reader as the caller sees it.
func (s *source) failed(err error) error {
	if s.path == "" {
		return err
	}
	return fmt.Errorf("read %s: %w", s.path, err)
}

func (s *source) damaged(offset int64, field string, err error) error {
	return &dumpfmt.FormatError{Path: s.path, Offset: offset, Field: field, Err: err}
}

// findEnd reads the end records. Of several that could be one it takes the
// last, as Python does.
func (s *source) findEnd() (end, error) {
	tail := make([]byte, min(s.size, endLen+none16))
	start := s.size - int64(len(tail))
	if err := s.read(tail, start, endField); err != nil {
		return end{}, err
	}
	last := len(tail) - endLen
	if last >= 0 {
		last = bytes.LastIndex(tail[:last+4], binary.LittleEndian.AppendUint32(nil, endSig))
	}
	if last < 0 {
		return end{}, s.noEnd()
	}
	e, commentLen := parseEnd(tail[last:])
	e.offset = start + int64(last)
	comment := tail[last+endLen:]
	if commentLen > len(comment) {
		return end{}, s.damaged(s.size, "comment", io.ErrUnexpectedEOF)
	}
	e.comment = string(comment[:commentLen])
	if err := s.findEnd64(&e); err != nil {
		return end{}, err
	}
	if e.disk != 0 || e.dirDisk != 0 || e.onDisk != e.members {
		return end{}, s.damaged(e.offset, endField, errDisks)
	}
	return e, nil
}

// noEnd is the error of a file without an end record.
func (s *source) noEnd() error {
	var b [4]byte
	if s.size >= int64(len(b)) {
		if err := s.read(b[:], 0, endField); err != nil {
			return err
		}
	}
	switch binary.LittleEndian.Uint32(b[:]) {
	case localSig:
		return s.damaged(s.size, endField, errCutShort)
	case descriptorSig: // begins the first part of an archive in parts
		return s.damaged(0, endField, errDisks)
	}
	return s.damaged(0, endField, errNotZip)
}

func parseEnd(b []byte) (e end, commentLen int) {
	f := fields(b[4:])
	e.disk = uint32(f.u16())
	e.dirDisk = uint32(f.u16())
	e.onDisk = uint64(f.u16())
	e.members = uint64(f.u16())
	e.dirSize = uint64(f.u32())
	e.dirOffset = uint64(f.u32())
	return e, int(f.u16())
}

// findEnd64 puts what a zip64 end record says in place of what the end record
// has no room for.
func (s *source) findEnd64(e *end) error {
	var b [locatorLen]byte
	at := e.offset - locatorLen
	if at < 0 {
		return nil
	}
	if err := s.read(b[:], at, endField); err != nil {
		return err
	}
	f := fields(b[:])
	if f.u32() != locatorSig {
		return nil
	}
	disk, offset, disks := f.u32(), f.u64(), f.u32()
	if disk != 0 || disks > 1 {
		return s.damaged(at, "zip64 locator", errDisks)
	}
	// It should be just before the locator, wherever the archive begins.
	var r [end64Len]byte
	for _, place := range []int64{at - end64Len, int64(offset)} {
		if place < 0 || place > at-end64Len {
			continue
		}
		if err := s.read(r[:], place, endField); err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(r[:]) == end64Sig {
			return s.useEnd64(e, r[:], place)
		}
	}
	return s.damaged(at, "zip64 locator", errors.New("no zip64 end record where it points to"))
}

// useEnd64 takes over the numbers of a zip64 end record. Those that fit into
// the end record must be the same there.
func (s *source) useEnd64(e *end, b []byte, offset int64) error {
	f := fields(b[4:])
	if n := f.u64(); n < end64Len-12 || n > uint64(e.offset-offset) {
		return s.damaged(offset, "zip64 end record", fmt.Errorf("length %d", n))
	}
	f.u32() // versions
	wide := end{disk: f.u32(), dirDisk: f.u32(), onDisk: f.u64(), members: f.u64(), dirSize: f.u64(), dirOffset: f.u64(),
		offset: offset, zip64: true, comment: e.comment}
	same := func(narrow, wide, none uint64) bool { return narrow == wide || narrow == none }
	if !same(uint64(e.disk), uint64(wide.disk), none16) || !same(uint64(e.dirDisk), uint64(wide.dirDisk), none16) ||
		!same(e.onDisk, wide.onDisk, none16) || !same(e.members, wide.members, none16) ||
		!same(e.dirSize, wide.dirSize, none32) || !same(e.dirOffset, wide.dirOffset, none32) {
		return s.damaged(offset, "zip64 end record", errors.New("other numbers than in the end record"))
	}
	*e = wide
	return nil
}

// findDirectory gives where the directory is and how far offsets in it are from
// those in the file: as much as stands before the archive.
func (s *source) findDirectory(e end) (offset, before int64, err error) {
	if e.dirSize > uint64(e.offset) || e.dirOffset > uint64(e.offset)-e.dirSize {
		return 0, 0, s.damaged(e.offset, endField,
			fmt.Errorf("a directory of %d bytes at offset %d is not in the file", e.dirSize, e.dirOffset))
	}
	if e.members > e.dirSize/directoryLen {
		return 0, 0, s.damaged(e.offset, endField,
			fmt.Errorf("a directory of %d bytes cannot have %d members", e.dirSize, e.members))
	}
	offset = e.offset - int64(e.dirSize)
	before = offset - int64(e.dirOffset)
	if before == 0 || e.dirSize == 0 {
		return offset, before, nil
	}
	// Something may also stand between the directory and the end record.
	var b [4]byte
	if err := s.read(b[:], offset, directoryField); err != nil {
		return 0, 0, err
	}
	if binary.LittleEndian.Uint32(b[:]) == directorySig {
		return offset, before, nil
	}
	return int64(e.dirOffset), 0, nil
}

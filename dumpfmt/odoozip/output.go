package odoozip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"unicode/utf8"
)

// wideFrom is the expected length of a member, in bytes, from which on its
// local header has room for sizes of 64 bits. It leaves room for what deflate
// adds to text that it cannot compress.
const wideFrom = 15 << 28

// outputBuffer is for headers and small members, in bytes.
const outputBuffer = 256 << 10

// directoryChunk is how much of the directory is in one piece of memory.
const directoryChunk = 64 << 10

var errGrown = errors.New("4 GiB or more, where less was expected")

// An entry is a member on its way into the file.
type entry struct {
	name   string
	dos    dosTime
	mode   uint32 // external attributes
	method uint16
	known  bool // sizes and CRC-32 are known before the data is written
	wide   bool // sizes have 64 bits in the local header and the data descriptor

	crc    uint32
	size   uint64
	length uint64
	offset uint64
}

// flags are those of the local header and the directory.
func (e *entry) flags() (flags uint16) {
	if !e.known {
		flags |= flagDescriptor
	}
	if !isASCII(e.name) && utf8.ValidString(e.name) {
		flags |= flagUTF8
	}
	return flags
}

func (e *entry) version() uint16 {
	if e.wide || e.size >= none32 || e.length >= none32 || e.offset >= none32 {
		return version45
	}
	return version20
}

// An output writes records and data and collects the directory.
type output struct {
	sink    io.Writer
	buf     *bufio.Writer
	written atomic.Int64 // bytes, those in buf included
	scratch []byte

	directory [][]byte
	members   uint64
}

func newOutput(sink io.Writer) *output {
	return &output{sink: sink, buf: bufio.NewWriterSize(sink, outputBuffer)}
}

// Write adds bytes as they are.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.buf.Write(b)
	o.written.Add(int64(n))
	return n, err
}

// ReadFrom adds all of src, leaving it to the system where that can do it.
func (o *output) ReadFrom(src io.Reader) (int64, error) {
	if err := o.buf.Flush(); err != nil {
		return 0, err
	}
	n, err := io.Copy(o.sink, src)
	o.written.Add(n)
	return n, err
}

// begin writes a member's local header.
func (o *output) begin(e *entry) error {
	e.offset = uint64(o.written.Load())
	crc, size, length := e.crc, uint32(e.size), uint32(e.length)
	var extra []byte
	if !e.known {
		crc, size, length = 0, 0, 0
	}
	if e.wide {
		size, length = none32, none32
		extra = append(extra, extraZip64, 0, 16, 0)
		extra = append(extra, make([]byte, 16)...)
	}
	// What is not known yet does not count for the version.
	version := uint16(version20)
	if e.wide {
		version = version45
	}
	le := binary.LittleEndian
	b := le.AppendUint32(o.scratch[:0], localSig)
	b = le.AppendUint16(b, version)
	b = e.appendCommon(b, crc, size, length, len(extra))
	b = append(b, e.name...)
	o.scratch = append(b, extra...)
	_, err := o.Write(o.scratch)
	return err
}

// appendCommon adds the fields that local headers and the directory share.
func (e *entry) appendCommon(b []byte, crc, size, length uint32, extraLen int) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, e.flags())
	b = le.AppendUint16(b, e.method)
	b = le.AppendUint16(b, uint16(e.dos))
	b = le.AppendUint16(b, uint16(e.dos>>16))
	b = le.AppendUint32(b, crc)
	b = le.AppendUint32(b, size)
	b = le.AppendUint32(b, length)
	b = le.AppendUint16(b, uint16(len(e.name)))
	return le.AppendUint16(b, uint16(extraLen))
}

// end writes what follows a member's data, and adds it to the directory.
func (o *output) end(e *entry) error {
	if !e.known {
		if err := o.descriptor(e); err != nil {
			return err
		}
	}
	o.register(e)
	return nil
}

// descriptor writes a data descriptor.
func (o *output) descriptor(e *entry) error {
	le := binary.LittleEndian
	b := le.AppendUint32(o.scratch[:0], descriptorSig)
	b = le.AppendUint32(b, e.crc)
	switch {
	case e.wide:
		b = le.AppendUint64(b, e.size)
		b = le.AppendUint64(b, e.length)
	case e.size >= none32 || e.length >= none32:
		return errGrown
	default:
		b = le.AppendUint32(b, uint32(e.size))
		b = le.AppendUint32(b, uint32(e.length))
	}
	o.scratch = b
	_, err := o.Write(b)
	return err
}

// register adds a member to the directory.
func (o *output) register(e *entry) {
	le := binary.LittleEndian
	var extra []byte
	narrow := func(v uint64) uint32 {
		if v < none32 {
			return uint32(v)
		}
		extra = le.AppendUint64(extra, v)
		return none32
	}
	length, size, offset := narrow(e.length), narrow(e.size), narrow(e.offset)
	if len(extra) > 0 {
		extra = append([]byte{extraZip64, 0, byte(len(extra)), 0}, extra...)
	}
	b := le.AppendUint32(o.scratch[:0], directorySig)
	b = le.AppendUint16(b, madeOnUnix<<8|e.version())
	b = le.AppendUint16(b, e.version())
	b = e.appendCommon(b, e.crc, size, length, len(extra))
	b = append(b, make([]byte, 6)...) // comment, disk, internal attributes
	b = le.AppendUint32(b, e.mode)
	b = le.AppendUint32(b, offset)
	b = append(b, e.name...)
	o.scratch = append(b, extra...)
	o.remember(o.scratch)
	o.members++
}

// remember adds to the directory in memory. Chunks need no copying when there
// are more of them.
func (o *output) remember(b []byte) {
	last := len(o.directory) - 1
	if last < 0 || cap(o.directory[last])-len(o.directory[last]) < len(b) {
		o.directory = append(o.directory, make([]byte, 0, max(directoryChunk, len(b))))
		last++
	}
	o.directory[last] = append(o.directory[last], b...)
}

// finish writes the directory and the end records.
func (o *output) finish(comment string) error {
	offset := uint64(o.written.Load())
	for _, b := range o.directory {
		if _, err := o.Write(b); err != nil {
			return err
		}
	}
	size := uint64(o.written.Load()) - offset
	le := binary.LittleEndian
	b := o.scratch[:0]
	if o.members >= none16 || size >= none32 || offset >= none32 {
		b = appendEnd64(b, o.members, size, offset)
	}
	members := uint16(min(o.members, none16))
	b = le.AppendUint32(b, endSig)
	b = le.AppendUint32(b, 0) // disks
	b = le.AppendUint16(b, members)
	b = le.AppendUint16(b, members)
	b = le.AppendUint32(b, uint32(min(size, none32)))
	b = le.AppendUint32(b, uint32(min(offset, none32)))
	b = le.AppendUint16(b, uint16(len(comment)))
	b = append(b, comment...)
	if _, err := o.Write(b); err != nil {
		return err
	}
	return o.buf.Flush()
}

// appendEnd64 adds the zip64 end record and its locator, for a directory of the
// given size and offset.
func appendEnd64(b []byte, members, size, offset uint64) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, end64Sig)
	b = le.AppendUint64(b, end64Len-12)
	b = le.AppendUint16(b, madeOnUnix<<8|version45)
	b = le.AppendUint16(b, version45)
	b = le.AppendUint64(b, 0) // disks
	b = le.AppendUint64(b, members)
	b = le.AppendUint64(b, members)
	b = le.AppendUint64(b, size)
	b = le.AppendUint64(b, offset)

	b = le.AppendUint32(b, locatorSig)
	b = le.AppendUint32(b, 0) // disk
	b = le.AppendUint64(b, offset+size)
	return le.AppendUint32(b, 1) // disks
}

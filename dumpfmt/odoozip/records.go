package odoozip

import "encoding/binary"

// Signatures of records, as little-endian numbers.
const (
	localSig      = 0x04034b50
	directorySig  = 0x02014b50
	endSig        = 0x06054b50
	end64Sig      = 0x06064b50
	locatorSig    = 0x07064b50
	descriptorSig = 0x08074b50
)

// Lengths of records without what varies, in bytes.
const (
	localLen     = 30
	directoryLen = 46
	endLen       = 22
	end64Len     = 56
	locatorLen   = 20
)

// Flags of members.
const (
	flagEncrypted       = 1 << 0
	flagDescriptor      = 1 << 3
	flagPatch           = 1 << 5
	flagStrong          = 1 << 6
	flagUTF8            = 1 << 11
	flagHiddenDirectory = 1 << 13
)

// IDs of extra fields.
const (
	extraZip64 = 1
	extraTime  = 0x5455 // Info-ZIP's "UT": flags, then modification time, ...
)

// What stands where a number does not fit.
const (
	none16 = 1<<16 - 1
	none32 = 1<<32 - 1
)

// Versions of the format that a program needs to read something.
const (
	version20 = 20 // deflate, folders
	version45 = 45 // zip64
)

// A fields reads the fields of a record one after the other. The record has
// been read in full length.
type fields []byte

func (f *fields) u16() uint16 {
	v := binary.LittleEndian.Uint16(*f)
	*f = (*f)[2:]
	return v
}

func (f *fields) u32() uint32 {
	v := binary.LittleEndian.Uint32(*f)
	*f = (*f)[4:]
	return v
}

func (f *fields) u64() uint64 {
	v := binary.LittleEndian.Uint64(*f)
	*f = (*f)[8:]
	return v
}

// A header is what local headers and the directory say of a member, with the
// lengths of what follows. Only the directory has the fields from disk on.
type header struct {
	sig      uint32
	madeBy   uint16
	flags    uint16
	method   uint16
	dos      dosTime
	crc      uint32
	size     uint64
	length   uint64
	nameLen  int
	extraLen int

	commentLen int
	disk       uint32
	external   uint32
	offset     uint64
}

func parseLocal(b []byte) header {
	f := fields(b)
	h := header{sig: f.u32()}
	h.common(&f)
	return h
}

func parseDirectory(b []byte) header {
	f := fields(b)
	h := header{sig: f.u32(), madeBy: f.u16()}
	h.common(&f)
	h.commentLen = int(f.u16())
	h.disk = uint32(f.u16())
	f.u16() // internal attributes: is it text
	h.external = f.u32()
	h.offset = uint64(f.u32())
	return h
}

// common reads the fields that both have, in the same order.
func (h *header) common(f *fields) {
	f.u16() // version needed: what is needed is seen
	h.flags = f.u16()
	h.method = f.u16()
	clock := f.u16()
	h.dos = dosTime(f.u16())<<16 | dosTime(clock)
	h.crc = f.u32()
	h.size = uint64(f.u32())
	h.length = uint64(f.u32())
	h.nameLen = int(f.u16())
	h.extraLen = int(f.u16())
}

// findExtra gives the data of the first extra field with an ID, nil for none.
// What is wrong with others is not looked at.
func findExtra(extra []byte, id uint16) []byte {
	for len(extra) >= 4 {
		got, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			return nil
		}
		if got == id {
			return extra[:n:n]
		}
		extra = extra[n:]
	}
	return nil
}

// widen puts the 64-bit numbers of the extra field in place of those that do
// not fit. ok is false where one is missing.
func (h *header) widen(extra []byte) (ok bool) {
	f := fields(findExtra(extra, extraZip64))
	for _, v := range []*uint64{&h.length, &h.size, &h.offset} {
		if *v != none32 {
			continue
		}
		if len(f) < 8 {
			return false
		}
		*v = f.u64()
	}
	if h.disk == none16 {
		if len(f) < 4 {
			return false
		}
		h.disk = f.u32()
	}
	return true
}

// modTime gives the time in Info-ZIP's extra field, noUnix if there is none.
func modTime(extra []byte) int32 {
	f := findExtra(extra, extraTime)
	if len(f) < 5 || f[0]&1 == 0 {
		return noUnix
	}
	return int32(binary.LittleEndian.Uint32(f[1:]))
}

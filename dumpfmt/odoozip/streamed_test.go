package odoozip

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"testing"
)

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// streamed reads a zip by its local headers and data descriptors alone, as
// APPNOTE has them: sizes in a descriptor have 64 bits if the local header has
// a zip64 field.
func streamed(t *testing.T, zip []byte) (files []file) {
	t.Helper()
	le := binary.LittleEndian
	for at := 0; le.Uint32(zip[at:]) == localSig; {
		flags, method, crc := le.Uint16(zip[at+6:]), le.Uint16(zip[at+8:]), le.Uint32(zip[at+14:])
		size, length := uint64(le.Uint32(zip[at+18:])), uint64(le.Uint32(zip[at+22:]))
		nameLen, extraLen := int(le.Uint16(zip[at+26:])), int(le.Uint16(zip[at+28:]))
		at += localLen
		f := file{name: string(zip[at : at+nameLen])}
		wide := extraLen > 0
		if wide && (le.Uint16(zip[at+nameLen:]) != extraZip64 || size != none32 || length != none32) {
			t.Fatalf("%s: not a zip64 field, or sizes beside it", f.name)
		}
		at += nameLen + extraLen
		if flags&flagDescriptor != 0 && method == Store {
			// Nobody can find the end of this one: what follows must.
			f.text = storedText(t, zip[at:])
			at += len(f.text)
			crc, size, length, at = descriptor(zip, at, wide)
			if checksum(f.text) != crc || int(size) != len(f.text) || size != length {
				t.Fatalf("%s: descriptor with CRC-32 %x, %d, %d bytes", f.name, crc, size, length)
			}
			files = append(files, f)
			continue
		}
		data := bytes.NewReader(zip[at:])
		switch method {
		case Store:
			f.text = bytes.Clone(zip[at : at+int(size)])
			at += int(size)
		default:
			text, err := io.ReadAll(flate.NewReader(data))
			if err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			f.text = text
			used := len(zip) - at - data.Len()
			at += used
			if flags&flagDescriptor != 0 {
				crc, size, length, at = descriptor(zip, at, wide)
			}
			if int(size) != used {
				t.Fatalf("%s: %d bytes of data, not %d", f.name, used, size)
			}
		}
		if checksum(f.text) != crc || int(length) != len(f.text) {
			t.Fatalf("%s: CRC-32 %x, length %d, not of its text", f.name, crc, length)
		}
		files = append(files, f)
	}
	return files
}

// storedText finds the text before a data descriptor that fits it.
func storedText(t *testing.T, zip []byte) []byte {
	t.Helper()
	le := binary.LittleEndian
	for n := 0; n+16 <= len(zip); n++ {
		if le.Uint32(zip[n:]) == descriptorSig && int(le.Uint32(zip[n+8:])) == n && le.Uint32(zip[n+4:]) == checksum(zip[:n]) {
			return bytes.Clone(zip[:n])
		}
	}
	t.Fatal("no data descriptor")
	return nil
}

func descriptor(zip []byte, at int, wide bool) (crc uint32, size, length uint64, next int) {
	le := binary.LittleEndian
	crc = le.Uint32(zip[at+4:])
	if wide {
		return crc, le.Uint64(zip[at+8:]), le.Uint64(zip[at+16:]), at + 24
	}
	return crc, uint64(le.Uint32(zip[at+8:])), uint64(le.Uint32(zip[at+12:])), at + 16
}

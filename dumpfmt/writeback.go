package dumpfmt

import (
	"io"
	"os"
)

// writebackStretch is how much is written to a file before the disk is set to
// work on it: enough for long requests, little beside the memory that the
// system gives to what is not on the disk yet.
const writebackStretch = 8 << 20

// WritebackFile is a file written from its start to its end, and brought to the
// disk meanwhile. Left alone the system begins with that after some seconds or
// GBs: a backup would end in waiting for the disk, and everything else on the
// machine that needs the disk would wait with it. Sync is still to be called.
type WritebackFile struct {
	*os.File
	written, begun int64
}

// CreateNew makes a file of mode 0600 where there is nothing yet, for data that
// is to be on the disk soon.
func CreateNew(path string) (*WritebackFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &WritebackFile{File: f}, nil
}

// Write appends to the file.
func (f *WritebackFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.wrote(int64(n))
	return n, err
}

// ReadFrom appends all of r. Where r is a file, the system may copy without the
// bytes passing through memory.
func (f *WritebackFile) ReadFrom(r io.Reader) (int64, error) {
	n, err := f.File.ReadFrom(r)
	f.wrote(n)
	return n, err
}

func (f *WritebackFile) wrote(n int64) {
	f.written += n
	if f.written-f.begun < writebackStretch {
		return
	}
	startWriteback(f.File, f.begun, f.written-f.begun)
	f.begun = f.written
}

package odoozip

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"fmt"
	"runtime"
	"testing"
)

// TestReader_Memory opens a zip with many files of a filestore, as there are
// millions of in large ones.
func TestReader_Memory(t *testing.T) {
	const members = 50_000
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	for i := range members {
		sum := sha1.Sum(fmt.Append(nil, i))
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("filestore/%x/%x", sum[:1], sum)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	r, err := NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()), "many.zip")
	if err != nil {
		t.Fatal(err)
	}
	if got := (inUse() - before) / members; got > 80 {
		t.Errorf("%d bytes for each member", got)
	}
	if len(r.Members) != members {
		t.Errorf("%d members", len(r.Members))
	}
	runtime.KeepAlive(file)
}

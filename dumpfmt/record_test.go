package dumpfmt

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"odx/dumpfmt/fuzzing"
)

// FuzzParseRecord: what is accepted is written and read again as the same
// record, and whatever is not is damaged or of a newer odx.
func FuzzParseRecord(f *testing.F) {
	for _, name := range []string{"testdata/odx.json", "testdata/odx-of-zip.json"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"odx_format": 2}`))
	f.Add([]byte(`{"started": "` + strings.Repeat("0", 1000) + `"}`))
	f.Add([]byte(`{"odx_format": 1, "archive": {"files": [{"name": "a", "bytes": -1}, null]}, "zip": {"script": {"data": [{}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		defer fuzzing.Bounded(t, len(data))()
		r, err := ParseRecord(data, RecordFile)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("%v matches neither ErrFormat nor ErrUnsupported", err)
			}
			if len(err.Error()) > maxMessage {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		text := encoded(t, r)
		again, err := ParseRecord(text, RecordFile)
		if err != nil {
			t.Fatalf("what was encoded is not read: %v\n%s", err, text)
		}
		if second := encoded(t, again); !bytes.Equal(second, text) {
			t.Fatalf("%s\nbecame\n%s", text, second)
		}
	})
}

// maxMessage is how long an error about a file may be, in bytes: it quotes a
// little of the file at most.
const maxMessage = 500

func encoded(t *testing.T, r *Record) []byte {
	t.Helper()
	text, err := r.Encode()
	if err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	return text
}

// TestParseRecord_Many has lists of so many elements that they would take
// gigabytes.
func TestParseRecord_Many(t *testing.T) {
	for _, list := range [][3]string{{`"archive": {"files": [`, `{}`, `]}}`}, {`"filestore": {"lost": [`, `""`, `]}}`}} {
		text := `{"odx_format": 1, ` + list[0] + strings.Repeat(list[1]+",", maxRecordValues) + list[1] + list[2]
		if _, err := ParseRecord([]byte(text), RecordFile); !errors.Is(err, ErrFormat) {
			t.Errorf("%.60s: %v, want a format error", text, err)
		}
	}
}

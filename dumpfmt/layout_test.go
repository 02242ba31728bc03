package dumpfmt

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packed gives a gzip file.
func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDetect_File(t *testing.T) {
	const title = "--\n-- PostgreSQL database dump\n--\n\n"
	tests := []struct {
		name, text string
		want       Layout
		says       string
	}{
		{"custom format", "PGDMP\x01\x0e", LayoutCustom, ""},
		{"zip", "PK\x03\x04...", LayoutZip, ""},
		{"empty zip", "PK\x05\x06...", LayoutZip, ""},
		{"script", title + "SET x;\n", LayoutScript, ""},
		{"script that is cut off", title[:len(title)-4], LayoutScript, ""},
		{"script below a comment", "-- made by hand\n" + title, LayoutScript, ""},
		{"script with carriage returns", strings.ReplaceAll(title, "\n", "\r\n"), LayoutScript, ""},
		{"script of pg_dumpall", "--\n-- PostgreSQL database cluster dump\n--\n", LayoutUnknown, "pg_dumpall"},
		{"title as data", "SELECT '-- PostgreSQL database dump\n", LayoutUnknown, "neither"},
		{"script in gzip", packed(t, title+"SET x;\n"), LayoutPackedScript, ""},
		{"long script in gzip", packed(t, title+strings.Repeat("SELECT 'x';\n", 1<<20)), LayoutPackedScript, ""},
		{"gzip that is cut off", "\x1f\x8b\x08", LayoutUnknown, "damaged"},
		{"custom format in gzip", packed(t, "PGDMP\x01\x0e"), LayoutUnknown, "gunzip"},
		{"gzip in gzip", packed(t, packed(t, title)), LayoutUnknown, "gunzip"},
		{"other script", "SELECT 1;\n", LayoutUnknown, "neither"},
		{"empty", "", LayoutUnknown, "neither"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "dump.zip") // the name says nothing
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Detect(path)
		if got != tt.want || (err == nil) != (tt.says == "") {
			t.Errorf("%s: %s, %v", tt.name, got, err)
		}
		if err != nil && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := Detect(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
}

// TestDetect_LinkOut has archives that are links: within the backup, and out of it.
func TestDetect_LinkOut(t *testing.T) {
	elsewhere := t.TempDir()
	for _, tt := range []struct {
		name, to string
		want     Layout
		refused  bool
	}{
		{ArchiveDir, "inner", LayoutFast, false},
		{ArchiveDir, filepath.Join(elsewhere, "inner"), LayoutFast, true},
		{ClickOdooDump, "inner/toc.dat", LayoutClickOdoo, false},
		{ClickOdooDump, filepath.Join(elsewhere, "inner", "toc.dat"), LayoutClickOdoo, true},
	} {
		backup := t.TempDir()
		for _, dir := range []string{backup, elsewhere} {
			inner := filepath.Join(dir, "inner")
			if err := errors.Join(os.MkdirAll(inner, 0o700), os.WriteFile(filepath.Join(inner, "toc.dat"), []byte("PGDMP"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(tt.to, filepath.Join(backup, tt.name)); err != nil {
			t.Fatal(err)
		}
		got, err := Detect(backup)
		if got != tt.want || errors.Is(err, ErrFormat) != tt.refused || !tt.refused && err != nil {
			t.Errorf("%s -> %s: %s, %v", tt.name, tt.to, got, err)
		}
	}
}

package odoozip

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// judged are zips that other programs have to read.
func judged(t *testing.T) map[string]struct {
	zip   []byte
	files []file
} {
	t.Helper()
	type one = struct {
		zip   []byte
		files []file
	}
	opts := Options{Jobs: 3, PieceSize: 64 << 10}
	all := map[string]one{
		"known lengths":   {write(t, standard(), opts, true), standard()},
		"unknown lengths": {write(t, standard(), opts, false), standard()},
		"commented":       {write(t, standard()[:3], Options{Comment: "a comment"}, true), standard()[:3]},
	}
	var b bytes.Buffer
	w := newWriter(t, &b, opts)
	sqlMember(t, w, standard()[0].text)
	for _, f := range standard()[1:] {
		add(t, w, f, true)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all["joined"] = one{bytes.Clone(b.Bytes()), standard()}

	b.Reset()
	w = newWriter(t, &b, opts)
	sqlMember(t, w, nil)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all["empty joined"] = one{b.Bytes(), []file{{DumpName, nil}}}
	return all
}

// listing has Python print what it sees of a zip, after reading all of it.
const listing = `
import hashlib, json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
json.dump([[i.filename, i.file_size, hashlib.sha256(z.read(i)).hexdigest(), i.external_attr,
  i.create_system, i.extract_version, list(i.date_time), i.flag_bits, len(i.extra)] for i in z.infolist()], sys.stdout)
`

func TestWriter_Python(t *testing.T) {
	for name, one := range judged(t) {
		t.Run(name, func(t *testing.T) {
			var got [][]any
			if err := json.Unmarshal([]byte(python(t, listing, tempFile(t, one.zip))), &got); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(one.files) {
				t.Fatalf("%d members, want %d", len(got), len(one.files))
			}
			for i, f := range one.files {
				mode := 0o100600 << 16
				if strings.HasSuffix(f.name, "/") {
					mode = 0o040700<<16 | 0x10
				}
				want := fmt.Sprint([]any{f.name, len(f.text), sha256Hex(f.text), mode, 3})
				if fmt.Sprint(integers(got[i][:5])) != want || fmt.Sprint(got[i][6]) != "[2026 11 24 2 15 46]" {
					t.Errorf("got %v, want %s", got[i], want)
				}
				if len(f.text) <= 64<<10 && name == "known lengths" && fmt.Sprint(got[i][5], got[i][8]) != "20 0" {
					t.Errorf("%s: version and extra fields are %v, %v, not Odoo's", f.name, got[i][5], got[i][8])
				}
			}
		})
	}
}

// integers makes integers of JSON's numbers.
func integers(a []any) []any {
	for i, v := range a {
		if f, ok := v.(float64); ok {
			a[i] = int64(f)
		}
	}
	return a
}

// TestWriter_Odoo has Python do what Odoo's restore_db does.
func TestWriter_Odoo(t *testing.T) {
	const restore = `
import os, sys, zipfile
assert zipfile.is_zipfile(sys.argv[1])
with zipfile.ZipFile(sys.argv[1], 'r') as z:
    filestore = [m for m in z.namelist() if m.startswith('filestore/')]
    z.extractall('out', ['dump.sql'] + filestore)
`
	for name, one := range judged(t) {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, one.zip)
			python(t, restore, path)
			for _, f := range one.files {
				if KindOf(f.name) != KindDump && KindOf(f.name) != KindFilestore {
					continue
				}
				got, err := os.ReadFile(filepath.Join(filepath.Dir(path), "out", f.name))
				if err != nil || !bytes.Equal(got, f.text) {
					t.Errorf("%s: %d bytes (%v), want %d", f.name, len(got), err, len(f.text))
				}
			}
		})
	}
}

func TestWriter_Unzip(t *testing.T) {
	for name, one := range judged(t) {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, one.zip)
			out := run(t, "", "unzip", "-t", path)
			if !strings.Contains(out, "No errors detected") || strings.Count(out, " OK\n") != len(one.files) {
				t.Error(out)
			}
			run(t, "", "unzip", "-q", path, "-d", filepath.Dir(path))
			checkTree(t, filepath.Dir(path), one.files)
		})
	}
}

func TestWriter_7z(t *testing.T) {
	for name, one := range judged(t) {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, one.zip)
			out := run(t, "", "7z", "t", path)
			if !strings.Contains(out, "Everything is Ok") || strings.Contains(out, "arning") {
				t.Error(out)
			}
			run(t, "", "7z", "x", path, "-o"+filepath.Dir(path))
			checkTree(t, filepath.Dir(path), one.files)
		})
	}
}

// checkTree holds extracted files against what they should be.
func checkTree(t *testing.T, dir string, want []file) {
	t.Helper()
	for _, f := range want {
		path := filepath.Join(dir, filepath.FromSlash(f.name))
		if strings.HasSuffix(f.name, "/") {
			if info, err := os.Stat(path); err != nil || !info.IsDir() {
				t.Errorf("%s: %v, no directory", f.name, err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, f.text) {
			t.Errorf("%s: %d bytes (%v), want %d", f.name, len(got), err, len(f.text))
		}
	}
}

func TestWriter_Go(t *testing.T) {
	for name, one := range judged(t) {
		t.Run(name, func(t *testing.T) {
			z, err := zip.NewReader(bytes.NewReader(one.zip), int64(len(one.zip)))
			if err != nil {
				t.Fatal(err)
			}
			if len(z.File) != len(one.files) {
				t.Fatalf("%d members, want %d", len(z.File), len(one.files))
			}
			for i, f := range one.files {
				src, err := z.File[i].Open()
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(src)
				if err := errors.Join(err, src.Close()); err != nil || !bytes.Equal(got, f.text) || z.File[i].Name != f.name {
					t.Errorf("%s: %d bytes (%v), want %d", f.name, len(got), err, len(f.text))
				}
			}
		})
	}
}

// TestWriter_Streamed has a program read a zip from its beginning, as one that
// cannot go back does: it depends on local headers and data descriptors.
func TestWriter_Streamed(t *testing.T) {
	for name, one := range judged(t) {
		t.Run(name, func(t *testing.T) {
			for _, f := range streamed(t, one.zip) {
				if want := one.files[0]; f.name != want.name || !bytes.Equal(f.text, want.text) {
					t.Fatalf("%s: %d bytes, want %s, %d", f.name, len(f.text), want.name, len(want.text))
				}
				one.files = one.files[1:]
			}
			if len(one.files) > 0 {
				t.Errorf("%d members missing", len(one.files))
			}
		})
	}
}

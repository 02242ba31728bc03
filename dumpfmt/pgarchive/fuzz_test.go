package pgarchive

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
)

// maxFuzz is the size up to which inputs are tried: larger ones only take
// longer.
const maxFuzz = 1 << 16

// addSeeds adds the files that the pattern matches, as far as they are small.
func addSeeds(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		f.Fatal(err)
	}
	added := 0
	for _, path := range files {
		if p := readFile(f, path); len(p) <= maxFuzz {
			f.Add(p)
			added++
		}
	}
	if added == 0 {
		f.Fatalf("no seeds in %s", pattern)
	}
}

// FuzzReadTOC: what is accepted is written as it was read, and pg_restore's
// dependencies can be completed.
func FuzzReadTOC(f *testing.F) {
	addSeeds(f, "testdata/*/cellar*/toc.dat")
	addSeeds(f, "testdata/*/cellar*.dump")
	f.Fuzz(func(t *testing.T, p []byte) {
		defer fuzzing.Bounded(t, len(p))()
		toc, end, err := readTOC(bytes.NewReader(p), tocName, int64(len(p)))
		if err != nil {
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("not a format error: %v", err)
			}
			return
		}
		if got := encode(t, toc); !bytes.Equal(got, p[:end]) {
			t.Fatal("written otherwise")
		}
		SafeForParallel(toc)
		if SafeForParallel(toc) != 0 {
			t.Fatal("dependencies added twice")
		}
		for i := range toc.Entries {
			_, _ = CopyColumns(toc.Entries[i].CopyStmt.String)
		}
	})
}

// FuzzCustom: Check finds whatever reading would stumble over.
func FuzzCustom(f *testing.F) {
	addSeeds(f, "testdata/*/cellar*.dump")
	f.Fuzz(func(t *testing.T, p []byte) {
		defer fuzzing.Bounded(t, len(p))()
		if len(p) > maxFuzz {
			return
		}
		path := filepath.Join(t.TempDir(), "fuzz.dump")
		if err := os.WriteFile(path, p, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(path)
		checkAndRead(t, a, err)
	})
}

// maxFuzzData is the size up to which files are tried: each byte of a packed one
// can stand for 32 KiB.
const maxFuzzData = 1 << 12

// FuzzFolder: Check finds whatever reading would stumble over in a folder whose
// data files and lists all have the same bytes.
func FuzzFolder(f *testing.F) {
	added := 0
	for _, pattern := range []string{"pg*/cellar/*.dat", "pg*/cellar/*.gz", "pg*/cellar/*.toc", "pg17/kitchen-*/4[01]*.dat.*"} {
		files, err := filepath.Glob("testdata/" + pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			p, form := readFile(f, path), slices.Index(lookupOrder[:], suffixOf(path))
			if len(p) <= maxFuzzData && filepath.Base(path) != tocName {
				f.Add(readFile(f, "testdata/pg15/cellar/toc.dat"), p, uint8(form))
				f.Add(readFile(f, "testdata/pg18/cellar/toc.dat"), p, uint8(form))
				added++
			}
		}
	}
	if added == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, toc, data []byte, form uint8) {
		defer fuzzing.Bounded(t, len(toc)+len(data))()
		if len(toc) > maxFuzz || len(data) > maxFuzzData {
			return
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, tocName), toc, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(dir)
		if err == nil {
			writeData(t, a, data, lookupOrder[int(form)%len(lookupOrder)])
		}
		checkAndRead(t, a, err)
	})
}

// writeData makes the files that the archive's entries name, and that of a large
// object.
func writeData(t *testing.T, a *Archive, data []byte, c Compression) {
	t.Helper()
	const maxFiles, maxName = 6, 200
	names := map[string]bool{LargeObjectFile(910001): true}
	for i := range a.TOC.Entries {
		name := a.dataName(&a.TOC.Entries[i])
		if checkName(name) == nil && len(name) <= maxName && name != tocName && len(names) < maxFiles {
			names[name] = true
		}
	}
	for name := range names {
		if suffixOf(name) == None {
			name += c.Suffix()
		}
		if err := os.WriteFile(filepath.Join(a.Path(), name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// checkAndRead reads everything in an archive that opens without an error and
// passes Check. What is wrong with another one has to be its format.
func checkAndRead(t *testing.T, a *Archive, err error) {
	t.Helper()
	if err == nil {
		_, err = a.Check(t.Context(), CheckOptions{Jobs: 2})
	}
	if err != nil {
		if !errors.Is(err, dumpfmt.ErrFormat) {
			t.Fatalf("not a format error: %v", err)
		}
		return
	}
	readAll(t, a)
}

// readAll reads everything in an archive that has passed Check.
func readAll(t *testing.T, a *Archive) {
	t.Helper()
	read := func(r io.ReadCloser, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		switch {
		case !e.HadDumper:
		case !e.IsLargeObjects():
			read(a.Data(e))
		default:
			for lo, err := range a.LargeObjects(e) {
				if err != nil {
					t.Fatal(err)
				}
				read(lo.Open())
			}
		}
	}
}

// FuzzList: lists of large objects are read or refused.
func FuzzList(f *testing.F) {
	addSeeds(f, "testdata/*/cellar/blobs*.toc")
	f.Fuzz(func(t *testing.T, p []byte) {
		defer fuzzing.Bounded(t, len(p))()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, oldList), p, 0o600); err != nil {
			t.Fatal(err)
		}
		a := &Archive{path: dir, TOC: &TOC{Header: Header{Version: Version14}}}
		e := &Entry{ID: 1, Desc: DescBlobs, HadDumper: true, File: oldList}
		for lo, err := range a.LargeObjects(e) {
			if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("not a format error: %v", err)
			}
			if err == nil && (lo.OID == 0 || !filepath.IsLocal(lo.File) || filepath.Base(lo.File) != lo.File) {
				t.Fatalf("large object %d in %q", lo.OID, lo.File)
			}
		}
	})
}

// FuzzTextEnd: the end of a text is judged the same in whatever pieces it
// comes.
func FuzzTextEnd(f *testing.F) {
	f.Add([]byte("1\tone\n"+copyEnd), 3)
	f.Add([]byte(copyEnd), 1)
	f.Add([]byte("\\.\n\\.\n\n\n"), 2)
	f.Fuzz(func(t *testing.T, p []byte, step int) {
		defer fuzzing.Bounded(t, len(p))()
		if step < 1 {
			return
		}
		for _, kind := range []contentKind{copyText, insertText} {
			whole, pieces := newTextEnd(kind), newTextEnd(kind)
			whole.write(p)
			for q := p; len(q) > 0; q = q[min(step, len(q)):] {
				pieces.write(q[:min(step, len(q))])
			}
			it := item{entry: &Entry{}}
			if got, want := pieces.error(it), whole.error(it); (got == nil) != (want == nil) {
				t.Fatalf("in pieces of %d: %v, whole: %v", step, got, want)
			}
		}
	})
}

// FuzzCopyCheck: rows, faults and values are the same wherever the text is cut,
// and those of whole rows taken by themselves.
func FuzzCopyCheck(f *testing.F) {
	for _, text := range []string{"1\ta\tb\n2\t\\N\tc\\\\d\n\\.\n\n\n", "1\t2\n\\q\t\\N\\N\t\r\n\n", "\x00\t\xff\té\nno end", "\\.\nafter"} {
		f.Add(text, uint16(1))
		f.Add(text, uint16(4))
	}
	f.Fuzz(func(t *testing.T, text string, cut uint16) {
		defer fuzzing.Bounded(t, len(text))()
		type finding struct {
			kind FaultKind
			row  int64
			at   int64
			got  int
		}
		check := func(size int) (rows int64, faults []finding, values []NullString) {
			c, err := NewCopyCheck("COPY t (a, b, c) FROM stdin;\n", CopyCheckOptions{UTF8: true,
				Wrong: func(f CopyFault) { faults = append(faults, finding{f.Kind, f.Row, f.Offset, f.Got}) },
				Pick:  []string{"c", "a"}, Row: func(v []NullString) { values = append(values, v...) }})
			if err != nil {
				t.Fatal(err)
			}
			for rest := []byte(text); len(rest) > 0; {
				n := min(size, len(rest))
				if _, err := c.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			return c.Rows(), faults, values
		}
		rows, faults, values := check(max(len(text), 1))
		cutRows, cutFaults, cutValues := check(int(cut) + 1)
		if rows != cutRows || !slices.Equal(faults, cutFaults) || !slices.Equal(values, cutValues) {
			t.Fatalf("whole: %d rows, %v, %+v; cut: %d rows, %v, %+v", rows, faults, values, cutRows, cutFaults, cutValues)
		}

		var wantRows, wrongColumns int64
		var want []NullString
		for line := range strings.Lines(text) {
			row, isWhole := strings.CutSuffix(line, "\n")
			if !isWhole || row == `\.` {
				break
			}
			wantRows++
			if fields := splitRow([]byte(row), 3); len(fields) == 3 {
				want = append(want, unescapeField(fields[2]), unescapeField(fields[0]))
			} else {
				wrongColumns++
			}
		}
		got := int64(0)
		for _, f := range faults {
			if f.kind == FaultColumns {
				got++
			}
		}
		if rows != wantRows || got != wrongColumns || !slices.Equal(values, want) {
			t.Fatalf("%d rows, %d with wrong columns, %+v; want %d, %d, %+v", rows, got, values, wantRows, wrongColumns, want)
		}
	})
}

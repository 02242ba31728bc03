package convert

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// longScript is a script with tables whose rows take many blocks, one, or less
// than a window, and the rows of these tables.
func longScript(t testing.TB) (text []byte, tables map[string][]byte) {
	t.Helper()
	text = scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]
	tables = map[string][]byte{}
	r := rand.New(rand.NewPCG(7, 7))
	var b bytes.Buffer
	for i, size := 0, []int{1_500_000, 40_000, 200_000, 3_000_000}; ; i++ {
		start := bytes.Index(text, []byte("FROM stdin;\n"))
		if start < 0 {
			break
		}
		start += len("FROM stdin;\n")
		end := start + bytes.Index(text[start:], []byte("\\.\n"))
		b.Write(text[:start])
		from := b.Len()
		for b.Len()-from < size[i%len(size)] {
			fmt.Fprintf(&b, "%d\t%d\tName of %d\t\\N\t2024-0%d-11\t%x\n", i, b.Len(), r.IntN(5000), r.IntN(9), r.Uint32())
		}
		tables[fmt.Sprint(i)] = bytes.Clone(b.Bytes()[from:])
		text = text[end:]
	}
	b.Write(text)
	if len(tables) < 4 {
		t.Fatalf("%d tables are too few", len(tables))
	}
	return b.Bytes(), tables
}

// zippers make a zip of dump.sql as different programs do.
func zippers(t *testing.T) map[string]func(path string, text []byte) {
	python := func(setting string) func(string, []byte) {
		return func(path string, text []byte) {
			cmd := exec.Command("python3", "-c", "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],'w',"+setting+")\n"+
				"z.writestr('dump.sql',sys.stdin.buffer.read())\nz.close()", path)
			cmd.Stdin = bytes.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("python3: %v\n%s", err, out)
			}
		}
	}
	all := map[string]func(string, []byte){
		"Go": func(path string, text []byte) { makeZip(t, path, []member{{"dump.sql", text}}) },
		"stored": func(path string, text []byte) {
			makeZip(t, path, []member{{"manifest.json", []byte("{}")}, {"dump.sql", text}})
		},
	}
	for _, level := range []string{"1", "6", "9", "0"} {
		all["Python "+level] = python("zipfile.ZIP_DEFLATED, compresslevel=" + level)
	}
	return all
}

// TestZip_Reused takes the rows of zips of different programs to data files and
// holds them against the script, as Go's gzip reads them. Only what is deflated
// is kept, and only where no compression is asked for.
func TestZip_Reused(t *testing.T) {
	text, tables := longScript(t)
	for name, makeZip := range zippers(t) {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath("python3"); err != nil && strings.HasPrefix(name, "Python") {
				t.Skip("python3 is not there")
			}
			dir := t.TempDir()
			source := filepath.Join(dir, "0.zip")
			makeZip(source, text)
			o := Options{Source: source, Target: filepath.Join(dir, "1"), Compression: DefaultCompression, Check: true, Jobs: 1}
			report := convert(t, o)
			wantTables(t, o.Target, tables)
			reused := !strings.HasSuffix(name, "0") && name != "stored"
			if got := shares(t, source, o.Target); got != reused {
				t.Errorf("data of the zip are in a data file: %t, want %t", got, reused)
			}
			if name != "stored" && report.Compression != "gzip" {
				t.Errorf("report says %q", report.Compression)
			}
			wantSameBack(t, dir, source)
			for _, jobs := range []int{2, 8} {
				again := o
				again.Jobs, again.Target = jobs, filepath.Join(dir, fmt.Sprint("jobs ", jobs))
				convert(t, again)
				if !maps.Equal(tree(t, filepath.Join(again.Target, "dump")), tree(t, filepath.Join(o.Target, "dump"))) {
					t.Errorf("%d jobs give other files", jobs)
				}
			}
			o.Recompress, o.Target = true, filepath.Join(dir, "recompressed")
			if report := convert(t, o); report.Compression != "gzip:1" {
				t.Errorf("report says %q", report.Compression)
			}
			wantTables(t, o.Target, tables)
			if shares(t, source, o.Target) {
				t.Error("not compressed anew")
			}
		})
	}
}

// wantSameBack converts the folder of a zip back.
func wantSameBack(t *testing.T, dir, source string) {
	t.Helper()
	back := filepath.Join(dir, "2.zip")
	convert(t, Options{Source: filepath.Join(dir, "1"), Target: back, Sidecar: true, Check: true, Jobs: 2})
	wantMembers(t, "back", readZip(t, back, false), readZip(t, source, true))
	convert(t, Options{Source: back, Target: filepath.Join(dir, "3"), Jobs: 2})
	if !maps.Equal(tree(t, filepath.Join(dir, "3")), tree(t, filepath.Join(dir, "1"))) {
		t.Error("the second folder is another one")
	}
}

// wantTables checks that each table's rows are in a data file of their own.
func wantTables(t *testing.T, folder string, tables map[string][]byte) {
	t.Helper()
	found := 0
	for name, data := range tree(t, filepath.Join(folder, "dump")) {
		if !strings.HasSuffix(name, ".gz") {
			continue
		}
		z, err := gzip.NewReader(strings.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := io.ReadAll(z)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, want := range tables {
			if string(rows) == string(want)+"\\.\n\n\n" {
				found++
			}
		}
	}
	if found != len(tables) {
		t.Errorf("rows of %d tables are found, want %d", found, len(tables))
	}
}

// shares tells whether some of a zip's dump.sql is, compressed, in a data file.
func shares(t *testing.T, path, folder string) bool {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var raw []byte
	for _, f := range z.File {
		if f.Name != "dump.sql" {
			continue
		}
		r, err := f.OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, data := range tree(t, filepath.Join(folder, "dump")) {
		for at := 0; at+64 < len(raw); at += 10_000 {
			if strings.Contains(data, string(raw[at:at+64])) {
				return true
			}
		}
	}
	return false
}

// TestZip_ReusedManyBlocks has a dump.sql of a great many short blocks, and one of
// blocks with sync flushes between them.
func TestZip_ReusedManyBlocks(t *testing.T) {
	text, tables := longScript(t)
	for name, every := range map[string]int{"flushed often": 100, "flushed at times": 40_000} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			source := filepath.Join(dir, "0.zip")
			f, err := os.Create(source)
			if err != nil {
				t.Fatal(err)
			}
			z := zip.NewWriter(f)
			z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
				d, err := flate.NewWriter(w, 6)
				return &flusher{d, every}, err
			})
			w, err := z.Create("dump.sql")
			if err == nil {
				_, err = w.Write(text)
			}
			for _, err := range []error{err, z.Close(), f.Close()} {
				if err != nil {
					t.Fatal(err)
				}
			}
			convert(t, Options{Source: source, Target: filepath.Join(dir, "1"), Compression: DefaultCompression, Check: true, Jobs: 2})
			wantTables(t, filepath.Join(dir, "1"), tables)
			wantSameBack(t, dir, source)
		})
	}
}

// flusher ends a block after every so many bytes.
type flusher struct {
	*flate.Writer
	every int
}

func (f *flusher) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = f.Writer.Write(p[n:min(n+f.every, len(p))])
		n += m
		if err == nil {
			err = f.Flush()
		}
	}
	return n, err
}

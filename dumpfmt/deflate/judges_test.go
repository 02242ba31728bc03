package deflate

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// run runs a program and gives what it prints.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %.300q: %v\n%s", name, args, err, stderr.Bytes())
	}
	return string(out)
}

func tempFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWriter_Judges has gzip and Python's zlib read files of pieces.
func TestWriter_Judges(t *testing.T) {
	const program = "import gzip,sys,zlib\n" +
		"for i in range(1, len(sys.argv), 2):\n" +
		"  t = gzip.open(sys.argv[i]).read()\n" +
		"  assert t == open(sys.argv[i+1], 'rb').read()\n"
	args := []string{"-c", program}
	for name, text := range texts() {
		file, _ := writeFile(t, text, Options{Jobs: 2, PieceSize: 20_000})
		path := tempFile(t, "x.gz", file)
		run(t, nil, "gzip", "-t", path)
		if got := run(t, nil, "gzip", "-dc", path); got != string(text) {
			t.Errorf("%s: gzip reads %d bytes, want %d", name, len(got), len(text))
		}
		args = append(args, path, tempFile(t, "x", text))
	}
	run(t, nil, "python3", args...)
}

// TestWriter_Long has gzip read a text whose length is in a second member.
func TestWriter_Long(t *testing.T) {
	text := []byte("text\n")
	file, l := writeFile(t, text, Options{})
	l.Length = longText + int64(len(text)) // the same modulo 2^32
	long := append(file[:l.HeaderLen+l.BodyLen:l.HeaderLen+l.BodyLen], l.Tail()...)
	path := tempFile(t, "x.gz", long)
	if len(long) == len(file) {
		t.Fatal("no second member")
	}
	if got := run(t, nil, "gzip", "-dc", path); got != string(text) {
		t.Errorf("gzip reads %q", got)
	}
	if got := run(t, nil, "python3", "-c", "import gzip,sys; sys.stdout.write(gzip.open(sys.argv[1],'rt').read())", path); got != string(text) {
		t.Errorf("Python reads %q", got)
	}
}

// joined makes one stream of all kinds of sources.
func joined(t *testing.T) (j *Joiner, stream, want []byte) {
	t.Helper()
	var b, text bytes.Buffer
	j = newJoiner(t, &b, Options{Jobs: 2, PieceSize: 20_000})
	for i, s := range sources(t) {
		head := fmt.Appendf(nil, "-- %d %s\n", i, s.name)
		_, err := j.Write(head)
		if err == nil {
			_, err = j.JoinMember(bytes.NewReader(s.file), members(t, s.file)[0])
		}
		if err == nil && i%5 == 0 {
			file, l := writeFile(t, s.text, Options{})
			_, err = j.JoinPieces(bytes.NewReader(file), l)
			head = append(head, s.text...)
			head, s.text = head[:len(head)-len(s.text)], append(bytes.Clone(s.text), s.text...)
		}
		if err != nil {
			t.Fatal(err)
		}
		text.Write(head)
		text.Write(s.text)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return j, b.Bytes(), text.Bytes()
}

// TestJoiner_Judges has Python's zlib, unzip and Go's archive/zip read a joined
// stream.
func TestJoiner_Judges(t *testing.T) {
	j, stream, want := joined(t)
	checkJoined(t, j, stream, want)
	raw, plain := tempFile(t, "x.deflate", stream), tempFile(t, "x", want)
	run(t, nil, "python3", "-c", "import sys,zlib\nd = zlib.decompressobj(-15)\nt = d.decompress(open(sys.argv[1], 'rb').read())\n"+
		"assert d.eof and not d.unused_data and t == open(sys.argv[2], 'rb').read()", raw, plain)

	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	dst, err := z.CreateRaw(&zip.FileHeader{Name: "dump.sql", Method: zip.Deflate, CRC32: j.CRC(),
		CompressedSize64: uint64(j.Size()), UncompressedSize64: uint64(j.Length())})
	if err == nil {
		_, err = dst.Write(stream)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	path := tempFile(t, "x.zip", zipped.Bytes())
	if out := run(t, nil, "unzip", "-t", path); !strings.Contains(out, "No errors") {
		t.Error(out)
	}
	run(t, nil, "python3", "-c", "import sys,zipfile\nassert zipfile.ZipFile(sys.argv[1]).testzip() is None", path)
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	src, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(src); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Go reads %d bytes (%v), want %d", len(got), err, len(want))
	}
}

// rewrite puts files of pieces in place of an archive's data files and joins
// both kinds, which must give the same text.
func rewrite(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.dat.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d data files, %v", len(files), err)
	}
	for _, path := range files {
		foreign, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := members(t, foreign)[0]
		text, _, err := inflate(foreign[m.Data():])
		if err != nil {
			t.Fatal(err)
		}
		ours, l := writeFile(t, text, Options{Jobs: 2, PieceSize: 64 << 10})
		var stream bytes.Buffer
		j := newJoiner(t, &stream, Options{})
		_, err = j.JoinMember(bytes.NewReader(foreign), m)
		if err == nil {
			_, err = j.JoinPieces(bytes.NewReader(ours), l)
		}
		if err = errors.Join(err, j.Close(), os.WriteFile(path, ours, 0o600)); err != nil {
			t.Fatal(err)
		}
		checkJoined(t, j, stream.Bytes(), append(bytes.Clone(text), text...))
	}
}

// TestWriter_PgRestore has pg_restore of every version at hand print and load
// data files of pieces.
func TestWriter_PgRestore(t *testing.T) {
	for _, binDir := range append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...) {
		c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: binDir})
		if missing := (*pgtool.NotFoundError)(nil); errors.As(err, &missing) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(c.Major()), func(t *testing.T) {
			defer func() {
				if err := c.Stop(); err != nil {
					t.Error(err)
				}
			}()
			restorePieces(t, c)
		})
	}
}

func restorePieces(t *testing.T, c *pgcluster.Cluster) {
	t.Helper()
	pg := func(name string, args ...string) string {
		t.Helper()
		return run(t, c.Env(), filepath.Join(c.BinDir(), name), args...)
	}
	sql := func(db, text string) { pg("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", db, "-c", text) }
	sql("postgres", "CREATE DATABASE source")
	sql("source", `CREATE TABLE empty (id integer);
		CREATE TABLE big AS SELECT i AS id, 'partner ' || md5(i::text) AS name, i * 7919 % 100003 AS n FROM generate_series(1, 30000) i;
		CREATE TABLE line AS SELECT 1 AS id, repeat('long ', 200000) AS text;
		SELECT lo_from_bytea(910001, decode(repeat('00ff', 50000), 'hex')), lo_from_bytea(910002, '');`)
	dir := filepath.Join(t.TempDir(), "dump")
	pg("pg_dump", "-Fd", "-f", dir, "source")
	script := func() string {
		// The key in these lines is random.
		var kept []string
		for line := range strings.Lines(pg("pg_restore", "-f", "-", dir)) {
			if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	want := script()
	rewrite(t, dir)
	if got := script(); got != want || len(want) < 1<<20 {
		t.Errorf("pg_restore prints %d other bytes, want %d", len(got), len(want))
	}
	sql("postgres", "CREATE DATABASE target")
	pg("pg_restore", "-j2", "-d", "target", dir)
	again := filepath.Join(t.TempDir(), "again")
	pg("pg_dump", "-Fd", "-f", again, "target")
	dir = again
	if got := script(); got != strings.ReplaceAll(want, "source", "target") {
		t.Error("another database is restored")
	}
}

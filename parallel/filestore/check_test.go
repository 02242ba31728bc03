package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"odx/dumpfmt/fuzzing"
)

// TestParseRow has rows as COPY writes them, and some that only COPY FROM takes.
func TestParseRow(t *testing.T) {
	for _, tt := range []struct {
		line, fname string
		size        int64
	}{
		{"ab/cd\t12", "ab/cd", 12},
		{`\N` + "\t" + `\N`, "", -1},
		{"\t0", "", 0},
		{`\\N` + "\t1", `\N`, 1},
		{`a\\b\tc\nd\re\bf\fg\vh` + "\t1", "a\\b\tc\nd\re\bf\fg\vh", 1},
		{`\101\x42\x4a\.\q\8` + "\t1", `ABJ.q8`, 1}, // taken by COPY FROM only
		{`\xg\x` + "\t1", `xgx`, 1},
		{`\400\7` + "\t1", "\x00\x07", 1},
		{`end\` + "\t1", `end\`, 1},
		{"ab\t-5", "ab", -1},
	} {
		got, err := parseRow([]byte(tt.line))
		if err != nil || got.fname != tt.fname || got.size != tt.size {
			t.Errorf("%q: %q, %d, %v, want %q, %d", tt.line, got.fname, got.size, err, tt.fname, tt.size)
		}
	}
	for _, line := range []string{"", "ab", "ab\t", "ab\t1\t2", "ab\tx", "ab\t99999999999999999999", "ab\t1 "} {
		if got, err := parseRow([]byte(line)); err == nil {
			t.Errorf("%q: %+v and no error", line, got)
		}
	}
}

// checkStore is a copied filestore and the list that goes with it.
func checkStore(t *testing.T) (dir, text string) {
	t.Helper()
	dir = t.TempDir()
	var rows strings.Builder
	for i := range 20 {
		content := fmt.Sprintf("letter %d", i)
		put(t, dir, storeName(content), content)
		fmt.Fprintf(&rows, "%s\t%d\n", storeName(content), len(content))
	}
	return dir, rows.String()
}

func TestCheck(t *testing.T) {
	dir, good := checkStore(t)
	put(t, dir, "f00/name", "12345")
	put(t, dir, "co:lon/x", "12345")
	put(t, dir, "nineteen/x", "12345")
	put(t, dir, "odd/a\tb\\c\nd", "12345")
	must(t, os.Symlink("f00", filepath.Join(dir, "way")))
	const proven = "8c/8cb2237d0679ca88db6464eac60da96345513964" // of 12345
	put(t, dir, proven, "12345")
	const cut = "a9/a9993e364706816aba3e25717850c26c9cd0d89d" // of abc
	put(t, dir, cut, "ab")
	for _, tt := range []struct {
		name, rows string
		want       CheckResult
		lost       string
	}{
		{"all there", good, CheckResult{Rows: 20, Named: 20}, ""},
		{"nothing", "", CheckResult{}, ""},
		{"end mark", "f00/name\t5\n\\.\nrubbish\n", CheckResult{Rows: 1, Named: 1}, ""},
		{"no file", "\\N\t5\n\t5\ns3://bucket/x\t7\n../../etc/passwd\\000\t1\n..\t1\n", CheckResult{Rows: 5, Elsewhere: 3}, ""},
		{"size unknown", "f00/name\t\\N\n", CheckResult{Rows: 1, Named: 1}, ""},
		{"one name, several rows", "f00/name\t5\nf00/name\t\\N\nf00/name\t5\n", CheckResult{Rows: 3, Named: 1}, ""},
		{"rows differ", "f00/name\t\\N\nf00/name\t5\nf00/name\t6\n", CheckResult{Rows: 3, Named: 1, Damaged: 1}, "f00/name: 5 bytes instead of 6"},
		{"rows differ otherwise", "f00/name\t6\nf00/name\t5\n", CheckResult{Rows: 2, Named: 1, Damaged: 1}, "f00/name: 5 bytes instead of 6"},
		{"missing", "f00/none\t5\nnone/none\t\\N\n", CheckResult{Rows: 2, Named: 2, Missing: 2}, "f00/none: missing, 5 bytes; none/none: missing"},
		{"the name proves it", proven + "\t7\n", CheckResult{Rows: 1, Named: 1, OtherSize: 1}, ""},
		{"the name proves one of two sizes", proven + "\t7\n" + proven + "\t5\n", CheckResult{Rows: 2, Named: 1, OtherSize: 1}, ""},
		{"the name proves that it is cut", cut + "\t3\n", CheckResult{Rows: 1, Named: 1, Damaged: 1}, cut + ": 2 bytes instead of 3"},
		{"damaged", "f00/name\t4\n", CheckResult{Rows: 1, Named: 1, Damaged: 1}, "f00/name: 5 bytes instead of 4"},
		{"a folder", "f00\t5\nf00/name/x\t5\n", CheckResult{Rows: 2, Named: 2, Missing: 2}, "f00: missing, 5 bytes; f00/name/x: missing, 5 bytes"},
		{"dots", "..f00/./name\t5\n/f00//name\t5\n", CheckResult{Rows: 2, Named: 2}, ""},
		{"colons", "co:lon/x\t5\nnine:teen/x\t5\n", CheckResult{Rows: 2, Named: 2}, ""},
		{"escapes", `odd/a\tb\\c\nd` + "\t5\n", CheckResult{Rows: 1, Named: 1}, ""},
		{"by a link", "way/name\t5\n", CheckResult{Rows: 1, Named: 1}, ""},
		{"too long a name", strings.Repeat("x", 300) + "/y\t1\n", CheckResult{Rows: 1, Named: 1, Missing: 1}, strings.Repeat("x", 300) + "/y: missing, 1 bytes"},
	} {
		for _, jobs := range []int{1, 8} {
			got, err := Check(t.Context(), iotest.OneByteReader(strings.NewReader(tt.rows)), CheckOptions{Dir: dir, Jobs: jobs})
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if text := lossText(got); text != tt.lost {
				t.Errorf("%s: lost %s, want %s", tt.name, text, tt.lost)
			}
			got.Lost = nil
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
			}
		}
	}
}

func lossText(r CheckResult) string {
	lost := make([]string, len(r.Lost))
	for i, l := range r.Lost {
		lost[i] = l.String()
	}
	return strings.Join(lost, "; ")
}

// TestCheck_Absent has files that do not count though they are there, and one of
// wrong content.
func TestCheck_Absent(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"aa/one", "bb/one", "bb/two", "b/one"} {
		put(t, dir, name, "12345")
	}
	v := NewVerification(0)
	v.wrong.add("b/one")
	rows := "aa/one\t5\nbb/one\t5\nbb/two\t5\nb/one\t5\ns3://x/y\t5\n\t5\n"
	got, err := Check(t.Context(), strings.NewReader(rows), CheckOptions{Dir: dir, Absent: []string{"bb", "aa/none"}, Verification: v})
	if err != nil {
		t.Fatal(err)
	}
	if got.Named != 4 || got.Missing != 2 || got.Damaged != 1 || got.Elsewhere != 1 {
		t.Errorf("%+v", got)
	}
	if want := "bb/one: missing, 5 bytes; bb/two: missing, 5 bytes; b/one: not the content that its name is the SHA-1 of"; lossText(got) != want {
		t.Errorf("%s, want %s", lossText(got), want)
	}
}

// TestCheck_Cut has lists that are not whole. Each is an error.
func TestCheck_Cut(t *testing.T) {
	dir, rows := checkStore(t)
	why := errors.New("server gone")
	for name, r := range map[string]io.Reader{
		"in a row":     strings.NewReader(rows[:len(rows)-3]),
		"one column":   strings.NewReader(rows + "ab\n"),
		"read error":   io.MultiReader(strings.NewReader(rows), iotest.ErrReader(why)),
		"endless line": io.MultiReader(strings.NewReader(rows), strings.NewReader(strings.Repeat("x", 2*maxRow))),
	} {
		got, err := Check(t.Context(), r, CheckOptions{Dir: dir, Jobs: 2})
		if err == nil || name == "read error" && !errors.Is(err, why) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Check(ctx, strings.NewReader(rows), CheckOptions{Dir: dir}); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Check(t.Context(), strings.NewReader(rows), CheckOptions{Dir: filepath.Join(dir, "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestCheck_Recovered finds in the source what the copy lacks.
func TestCheck_Recovered(t *testing.T) {
	source, rows := checkStore(t)
	dir := t.TempDir()
	put(t, source, "new/x", "12345")
	put(t, source, "co:lon/x", "12345")
	put(t, source, "short/x", "12345")
	put(t, dir, "short/x", "123")
	before := list(t, source)
	rows += "new/x\t5\nco:lon/x\t5\nshort/x\t5\nnever/x\t5\n"
	got, err := Check(t.Context(), strings.NewReader(rows), CheckOptions{Dir: dir, Source: source, Jobs: 2,
		Permissions: &Permissions{UID: -1, GID: -1, FileMode: 0o640, DirMode: 0o750}})
	if err != nil || got.Recovered != 23 || got.Missing != 1 || got.Damaged != 0 || !slices.Equal(got.Names(), []string{"never/x"}) {
		t.Errorf("%+v, %v", got, err)
	}
	wantTree(t, list(t, source), before)
	for name, mode := range map[string]os.FileMode{"co:lon/x": 0o640, "new": 0o750 | os.ModeDir} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// lines makes a list while it is read.
type lines struct {
	n, of int
	rest  string
}

func (l *lines) Read(p []byte) (int, error) {
	for len(l.rest) < len(p) && l.n < l.of {
		l.rest += fmt.Sprintf("%s\t%d\n", storeName(fmt.Sprint(l.n)), l.n)
		l.n++
	}
	if l.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// TestCheck_Many has a list of names that are all lost: memory stays, and the
// first are named, whatever the number of jobs.
func TestCheck_Many(t *testing.T) {
	dir := t.TempDir()
	var first []string
	for jobs, names := range map[int]int{1: 10_000, 8: 100_000} {
		var peak uint64
		l := &lines{of: names}
		reads := 0
		measured := readerFunc(func(p []byte) (int, error) {
			if reads++; reads%16 == 1 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			return l.Read(p)
		})
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		got, err := Check(t.Context(), measured, CheckOptions{Dir: dir, Jobs: jobs, MaxNames: 50})
		must(t, err)
		if got.Missing != int64(names) || len(got.Lost) != 50 {
			t.Errorf("%d jobs: %d missing, %d named", jobs, got.Missing, len(got.Lost))
		}
		if first == nil {
			first = got.Names()
		}
		if !slices.Equal(first, got.Names()) || got.Names()[0] != storeName("0") {
			t.Errorf("%d jobs: other names", jobs)
		}
		if grown := int64(peak) - int64(before.HeapAlloc); grown > 8<<20 || peak == 0 {
			t.Errorf("%d jobs: %d bytes more in use", jobs, grown)
		}
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCheckQuery(t *testing.T) {
	dir, rows := checkStore(t)
	why := errors.New("server gone")
	for _, tt := range []struct {
		name  string
		query func(w io.Writer) error
		want  error
	}{
		{"whole", func(w io.Writer) error { _, err := io.WriteString(w, rows); return err }, nil},
		{"fails at once", func(io.Writer) error { return why }, why},
		{"fails between rows", func(w io.Writer) error { io.WriteString(w, rows); return why }, why},
		{"fails in a row", func(w io.Writer) error { io.WriteString(w, rows[:len(rows)-2]); return why }, why},
		{"fails behind the end mark", func(w io.Writer) error { io.WriteString(w, rows+"\\.\n"); return why }, why},
		{"is cut", func(w io.Writer) error { _, err := io.WriteString(w, rows[:len(rows)-2]); return err }, io.ErrUnexpectedEOF},
	} {
		got, err := CheckQuery(t.Context(), tt.query, CheckOptions{Dir: dir, Jobs: 2})
		if !errors.Is(err, tt.want) || (err == nil) != (got.Named == 20) {
			t.Errorf("%s: %+v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	// A list that is not read to its end: the query must learn it.
	var stopped error
	_, err := CheckQuery(t.Context(), func(w io.Writer) error {
		for stopped == nil {
			_, stopped = io.WriteString(w, "rubbish\n")
		}
		return stopped
	}, CheckOptions{Dir: dir, Jobs: 2})
	if err == nil || stopped == nil {
		t.Errorf("error %v, the query saw %v", err, stopped)
	}
}

// FuzzAttachments reads any list: no panic, and each name of a row is found
// again when it is written as COPY does.
func FuzzAttachments(f *testing.F) {
	for _, seed := range []string{"ab/cd\t1\n", "\\N\t\\N\n\\.\n", `a\\b\tc\x41\101` + "\t5\n", "a\t1\na\t2\n", "cut"} {
		f.Add([]byte(seed))
	}
	escape := strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\b", `\b`, "\f", `\f`, "\v", `\v`)
	f.Fuzz(func(t *testing.T, text []byte) {
		defer fuzzing.Bounded(t, len(text))()
		a := readAttachments(strings.NewReader(string(text)))
		for {
			at, err := a.read()
			if err != nil {
				return
			}
			if at.size < -1 || at.row < 1 {
				t.Fatalf("%+v", at)
			}
			again, err := parseRow([]byte(escape.Replace(at.fname) + "\t1"))
			if err != nil || again.fname != at.fname {
				t.Fatalf("%q became %q, %v", at.fname, again.fname, err)
			}
		}
	})
}

package pgarchive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
)

func TestCopyColumns(t *testing.T) {
	tests := []struct {
		stmt string
		want []string // nil is an error
	}{
		{"COPY public.res_users (id, login) FROM stdin;\n", []string{"id", "login"}},
		{"COPY res_users (id) FROM stdin;\n", []string{"id"}},
		{`COPY "a (b, c".""" FROM stdin;" ("x, y", "q""q", ")") FROM stdin;` + "\n", []string{"x, y", `q"q`, ")"}},
		{"COPY app.nocol  FROM stdin;\n", []string{}},
		{"COPY app.größe (straße) FROM stdin;\n", []string{"straße"}},
		{"", nil},
		{"COPY ", nil},
		{"COPY a", nil},
		{`COPY "a`, nil},
		{"COPY a (b", nil},
		{"COPY a (b) TO stdout;\n", nil},
		{"COPY a (, b) FROM stdin;\n", nil},
		{"INSERT INTO a", nil},
	}
	for _, tt := range tests {
		got, err := CopyColumns(tt.stmt)
		if (err != nil) != (tt.want == nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, %v", tt.stmt, got, err)
		}
	}
}

func TestUnescapeField(t *testing.T) {
	tests := []struct {
		field string
		want  NullString
	}{
		{`\N`, NullString{}},
		{``, Str("")},
		{`N`, Str("N")},
		{`\\N`, Str(`\N`)},
		{`a\tb\nc\\d\r\b\f\v`, Str("a\tb\nc\\d\r\b\f\v")},
		{`\101\1018\x41\x4g\xg\q\8`, Str("AA8A\x04gxgq8")},
		{`\`, Str(`\`)},
		{`\NN`, Str("NN")},
	}
	for _, tt := range tests {
		if got := unescapeField([]byte(tt.field)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.field, got, tt.want)
		}
	}
}

// rowsArchive has one table with this text.
func rowsArchive(t testing.TB, stmt, text string) (*Archive, *Entry) {
	t.Helper()
	dir := t.TempDir()
	toc := &TOC{Header: Header{Version: Version14, IntSize: 4, OffSize: 8, Format: FormatTar}, Entries: []Entry{{
		ID: 7, HadDumper: true, Tag: "t", Desc: DescTableData, Section: SectionData, CopyStmt: Str(stmt), File: "7.dat",
	}}}
	rewriteTOC(t, dir, toc)
	if err := os.WriteFile(filepath.Join(dir, "7.dat"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := mustOpen(t, dir)
	return a, &a.TOC.Entries[0]
}

func TestCopyRows(t *testing.T) {
	long := strings.Repeat("long ", 10_000)
	a, e := rowsArchive(t, `COPY public.t (id, "key name", value) FROM stdin;`+"\n",
		"1\tweb.base.url\thttp://x\n2\tnull\t\\N\n3\t"+long+"\t\\\\.\\n\n"+copyEnd)
	var got []string
	for row, err := range a.CopyRows(e, "value", "key name") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%v %s", row[0], strings.TrimSpace(row[1].String)))
	}
	want := []string{"{http://x true} web.base.url", "{ false} null", "{\\.\n true} " + strings.TrimSpace(long)}
	if !slices.Equal(got, want) {
		t.Errorf("got %.60q", got)
	}
	for range a.CopyRows(e) {
		break // must not go on, nor leak the file
	}
}

func TestCopyRows_Errors(t *testing.T) {
	const stmt = "COPY t (a, b) FROM stdin;\n"
	tests := []struct {
		name, stmt, text string
		format           bool
		want             string
	}{
		{"cut off", stmt, "1\t2\n", true, "7.dat: row 2: no end mark"},
		{"cut off in a row", stmt, "1\t2\n3", true, "7.dat: row 2: no end mark"},
		{"too few fields", stmt, "1\t2\n3\n" + copyEnd, true, "7.dat: row 2: not a row: 1 fields for 2 columns"},
		{"too many fields", stmt, "1\t2\t3\n" + copyEnd, true, "3 fields for 2 columns"},
		{"no such column", "COPY t (a) FROM stdin;\n", copyEnd, false, `no column "b"`},
		{"inserts", "", "\n\n", false, "not a COPY statement"},
	}
	for _, tt := range tests {
		a, e := rowsArchive(t, tt.stmt, tt.text)
		var err error
		for _, err = range a.CopyRows(e, "b") {
		}
		if err == nil || errors.Is(err, dumpfmt.ErrFormat) != tt.format || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestCopyRows_LongRow(t *testing.T) {
	a, e := rowsArchive(t, "COPY t (a) FROM stdin;\n", "")
	f, err := os.OpenFile(filepath.Join(a.Path(), "7.dat"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(dumpfmt.MaxRow+1<<16), f.Close()); err != nil { // zeros, no line end
		t.Fatal(err)
	}
	for _, err := range a.CopyRows(e, "a") {
		if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("got %v", err)
		}
	}
}

// TestCopyRows_Kitchen goes through all tables of a real archive.
func TestCopyRows_Kitchen(t *testing.T) {
	a := mustOpen(t, "testdata/pg17/kitchen-zstd")
	rows := 0
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if e.Desc != DescTableData {
			continue
		}
		columns, err := CopyColumns(e.CopyStmt.String)
		if err != nil {
			t.Errorf("%s: %v", e.describe(), err)
			continue
		}
		for _, err := range a.CopyRows(e, columns...) {
			if err != nil {
				t.Errorf("%s: %v", e.describe(), err)
			}
			rows++
		}
	}
	if rows < 100 {
		t.Errorf("%d rows", rows)
	}
}

package sqlscript

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
)

// describe gives the kinds of the pieces of a script and their texts.
func describe(all []Piece) string {
	var b strings.Builder
	for _, p := range all {
		b.WriteString(p.Kind.String() + ": " + string(p.Data) + "|")
	}
	return b.String()
}

// statements are single statements.
var statements = map[string]string{
	"quotes":                `SELECT 'a;b''c;', "d;""e;";`,
	"backslash, conforming": `SELECT 'a\'; `,
	"escape string":         `SELECT E'a\';b', e'\\';`,
	"E in a name":           `SELECT type'a\', "E"'b\';`,
	"unicode":               `SELECT U&'\0061\', U&"a;";`,
	"bits":                  `SELECT B'01', X'0f', N'\';`,
	"dollar":                `SELECT $$a;b$$, $tag$ $$;$t$;$tag$;`,
	"dollar in a name":      `SELECT a$b$c, d$$;`,
	"parameter":             `SELECT $1;`,
	"comment":               "SELECT 1 -- a; 'b\n, 2 /* c; /* d; */ ' */;",
	"minus, slash":          "SELECT 1 - -2 / 3;",
	"parentheses":           `CREATE RULE r AS ON INSERT TO t DO (INSERT INTO a VALUES (1); DELETE FROM b;);`,
	"header in quotes":      "SELECT '\n--\n-- Name: a; Type: TABLE; Schema: b; Owner: c\n--\n\n';",
	"header in dollars":     "SELECT $$\n--\n-- Name: a; Type: TABLE; Schema: b; Owner: c\n--\n\n$$;",
	"COPY in quotes":        "SELECT '\nCOPY t (a) FROM stdin;\n';",
	"command in dollars":    "SELECT $$\n\\connect x\n$$;",
	"atomic": "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; " +
		"SELECT CASE WHEN (CASE 1 WHEN 1 THEN true END) THEN 1 ELSE 2 END; END;",
	"atomic, replaced":  "CREATE OR REPLACE PROCEDURE p() begin  atomic select 1; end;",
	"begin as argument": "CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql RETURN 1;",
	"begin alone":       "BEGIN;",
	"begin elsewhere":   "SELECT begin atomic;",
	"names of keywords": `CREATE FUNCTION f() BEGIN ATOMIC SELECT "end", "case" FROM "begin"; END;`,
	"policy":            `CREATE POLICY begin ON atomic;`,
	"carriage return":   "SELECT 'a\r\nb';",
}

func TestScanner_Statements(t *testing.T) {
	for name, statement := range statements {
		t.Run(name, func(t *testing.T) {
			for _, next := range []string{"\n", "\nSELECT 2;\n"} {
				all, err := scanAll(strings.NewReader(statement + next))
				if err != nil {
					t.Fatal(err)
				}
				if all[0].Kind != Statement || strings.TrimSpace(string(all[0].Data)) != strings.TrimSpace(statement) {
					t.Errorf("got %s", describe(all))
				}
				for n := 1; n < 5; n++ {
					other, err := scanAll(&small{strings.NewReader(statement + next), n})
					if err != nil || describe(other) != describe(all) {
						t.Errorf("%d bytes at a time: %s, %v", n, describe(other), err)
					}
				}
			}
		})
	}
}

const header = "--\n-- Name: a; Type: TABLE; Schema: b; Owner: c\n--\n\n"

// pieces are scripts and their pieces.
var pieces = map[string]struct{ script, want string }{
	"header":         {header, "header: " + header + "|"},
	"verbose header": {"--\n-- TOC entry 7 (class 1 OID 2)\n-- Dependencies: 3 4\n" + header[3:], "header: --\n-- TOC entry 7 (class 1 OID 2)\n-- Dependencies: 3 4\n" + header[3:] + "|"},
	"banner":         {"--\n-- PostgreSQL database dump\n--\n\n", "comment: --\n|comment: -- PostgreSQL database dump\n|comment: --\n|blank: \n|"},
	"rows":           {"COPY a.b (c) FROM stdin;\n1\n\\\\.\n\\.x\n\\.\n\n\n", "COPY statement: COPY a.b (c) FROM stdin;\n|rows: 1\n\\\\.\n\\.x\n|end of rows: \\.\n|blank: \n\n|"},
	"no rows":        {"COPY a.b (c) FROM stdin;\n\\.\n", "COPY statement: COPY a.b (c) FROM stdin;\n|end of rows: \\.\n|"},
	"odd table":      {"COPY \"a;\n\" (\"FROM stdin;\n\") FROM stdin;\n\\.\n", "COPY statement: COPY \"a;\n\" (\"FROM stdin;\n\") FROM stdin;\n|end of rows: \\.\n|"},
	"commands":       {"\\restrict x\n\\connect -reuse-previous=on \"dbname='x'\"\n", "psql command: \\restrict x\n|psql command: \\connect -reuse-previous=on \"dbname='x'\"\n|"},
	"header in rows": {"COPY a.b (c) FROM stdin;\n" + header + "\\.\n", "COPY statement: COPY a.b (c) FROM stdin;\n|rows: " + header + "|end of rows: \\.\n|"},
	"strings off":    {"SET standard_conforming_strings = off;\nSELECT '\\'; \\'';\n", "statement: SET standard_conforming_strings = off;\n|statement: SELECT '\\'; \\'';\n|"},
	"two on a line":  {"SELECT 1; SELECT 2;", "statement: SELECT 1;|blank:  |statement: SELECT 2;|"},
}

func TestScanner_Pieces(t *testing.T) {
	for name, c := range pieces {
		t.Run(name, func(t *testing.T) {
			all, err := scanAll(strings.NewReader(c.script))
			if err != nil || describe(all) != c.want {
				t.Errorf("got  %q, %v\nwant %q", describe(all), err, c.want)
			}
		})
	}
}

func TestScanner_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		script, want string
		cause        error
	}{
		"CRLF":              {"--\r\n-- x\r\n", "x.sql: line 1 (offset 2): carriage return", nil},
		"CRLF later":        {"SELECT 1;\nSELECT 2\r\n;", "line 2 (offset 18): carriage return", nil},
		"backslash":         {"SELECT 1 \\g\n", "line 1 (offset 9): backslash", nil},
		"shell":             {"\n\\! ls\n", `line 2 (offset 1): psql command "\\! ls"`, nil},
		"not at the start":  {"SELECT 1; \\connect x\n", "line 1 (offset 10): backslash", nil},
		"COPY otherwise":    {"COPY t FROM STDIN;\n", "COPY statement other", nil},
		"copy":              {"copy t FROM stdin;\n", "COPY statement other", nil},
		"no end of rows":    {"COPY t (a) FROM stdin;\n1\n\\.", "rows without an end mark", io.ErrUnexpectedEOF},
		"open quote":        {"SELECT 1;\nSELECT 'a", "line 2 (offset 10)", io.ErrUnexpectedEOF},
		"open dollar":       {"SELECT $a$ $$", "statement has no end", io.ErrUnexpectedEOF},
		"open comment":      {"/* /* */", "line 1", io.ErrUnexpectedEOF},
		"open parenthesis":  {"SELECT (1;\n", "statement has no end", io.ErrUnexpectedEOF},
		"closed too often":  {"SELECT 1);\n", "closing parenthesis", nil},
		"zero":              {"SELECT '\x00';\n", "line 1 (offset 8): zero byte", nil},
		"continued":         {"SELECT E'a'\n'b';\n", "goes on on another line", nil},
		"strings otherwise": {"set standard_conforming_strings to off;\n", "setting is not as pg_dump writes it", nil},
		"encoding":          {"SET client_encoding = 'SJIS';\n", "encoding SJIS", dumpfmt.ErrUnsupported},
		"open header":       {"--\n-- Name: a; Type: TABLE; Schema: b; Owner: c\n\n", "header of an item", nil},
		"odd header":        {"--\n-- TOC entry 7 (class 1 OID 2)\n-- Nome: a\n--\n\n", "header of an item", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewScanner(strings.NewReader(c.script), "x.sql")
			var err error
			for err == nil {
				_, err = s.Next()
			}
			if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), c.want) ||
				c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, again := s.Next(); again != err {
				t.Errorf("next call: %v", again)
			}
		})
	}
}

func TestScanner_ReadError(t *testing.T) {
	broken := errors.New("broken disk")
	for _, script := range []string{"", "SELECT 1", "SELECT 1;\n", "COPY t (a) FROM stdin;\n1\n", "--\n-- Name", "\n"} {
		_, err := scanAll(io.MultiReader(strings.NewReader(script), &failing{broken}))
		if err != broken {
			t.Errorf("%q: %v, want the reader's error", script, err)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// TestScanner_LongPieces has statements and rows beyond the buffer, and the end
// mark at every place around its border.
func TestScanner_LongPieces(t *testing.T) {
	for _, long := range []int{firstBuffer - 60, firstBuffer, rowsBuffer - 40, rowsBuffer, 3*rowsBuffer + 5} {
		for shift := range 40 {
			script := "SELECT '" + strings.Repeat("x", long) + "';\nCOPY t (a) FROM stdin;\n" +
				strings.Repeat("y", long+shift) + "\n\\\\.\n\\.\n\nSELECT 2;\n"
			all, err := scanAll(strings.NewReader(script))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(joined(t, all), []byte(script)) {
				t.Fatal("pieces joined are not the script")
			}
			tail := describe(all[len(all)-3:])
			if tail != "end of rows: \\.\n|blank: \n|statement: SELECT 2;\n|" {
				t.Errorf("long %d, shift %d: ends in %q", long, shift, tail)
			}
		}
	}
}

func TestHeader_Readings(t *testing.T) {
	h, err := ParseHeader([]byte("--\n-- TOC entry 215 (class 1259 OID 16385)\n-- Dependencies: 3 7\n" +
		"-- Data for Name: a; Type: VIEW; Schema: x; Type: TABLE DATA; Schema: b; Owner: c\n--\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	if h.Prefix != PrefixData || h.TOC.ID != 215 || h.TOC.TableOID != 1259 || h.TOC.OID != 16385 || len(h.TOC.Dependencies) != 2 {
		t.Errorf("got %+v, %+v", h, h.TOC)
	}
	got := h.Readings()
	want := []Reading{
		{Tag: "a; Type: VIEW; Schema: x", Desc: "TABLE DATA", Rest: "b; Owner: c"},
		{Tag: "a", Desc: "VIEW", Rest: "x; Type: TABLE DATA; Schema: b; Owner: c"},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzScanner: pieces joined are the input, up to an error; and they do not
// depend on how the reader cuts the input.
func FuzzScanner(f *testing.F) {
	seeds := 0
	for _, script := range fixtures(f) {
		if len(script) < 8<<10 {
			f.Add(script)
			seeds++
		}
	}
	for _, statement := range statements {
		f.Add([]byte(statement + "\n"))
	}
	for _, c := range pieces {
		f.Add([]byte(c.script))
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		defer fuzzing.Bounded(t, len(script))()
		all, err := scanAll(bytes.NewReader(script))
		text := joined(t, all)
		if err == nil && !bytes.Equal(text, script) || !bytes.HasPrefix(script, text) {
			t.Fatal("pieces joined are not the script")
		}
		if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
			t.Fatalf("not a format error: %v", err)
		}
		other, again := scanAll(&small{bytes.NewReader(script), 5})
		if describe(other) != describe(all) || (err == nil) != (again == nil) {
			t.Fatal("pieces depend on the reader")
		}
		for _, p := range all {
			if p.Kind == HeaderComment {
				if h, err := ParseHeader(p.Data); err == nil {
					h.Readings()
				}
			}
		}
	})
}

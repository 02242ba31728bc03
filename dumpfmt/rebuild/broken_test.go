package rebuild

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
	"odx/dumpfmt/pgarchive"
)

// small gives the scripts in testdata that are small.
func small(t testing.TB) map[string][]byte {
	t.Helper()
	scripts := make(map[string][]byte)
	for _, name := range []string{"pg13/cellar-create", "pg18/cellar-inserts"} {
		scripts[name] = unpack(t, filepath.Join("testdata", name+".sql.gz"))
	}
	return scripts
}

// checkRead reads a script that may be broken: what is accepted must be
// written, anything else be an error about the script.
func checkRead(t testing.TB, script []byte) error {
	t.Helper()
	res, err := Read(bytes.NewReader(script), nil, Options{})
	if err != nil {
		if !errors.Is(err, dumpfmt.ErrFormat) {
			t.Fatalf("not a format error: %v", err)
		}
		return err
	}
	if err := pgarchive.WriteTOC(io.Discard, res.TOC); err != nil {
		t.Fatal(err)
	}
	wantNoCircle(t, res.TOC)
	return nil
}

// wantNoCircle fails the test if an entry comes before itself, or its number twice.
func wantNoCircle(t testing.TB, toc *pgarchive.TOC) {
	t.Helper()
	const open, done = 1, 2
	state, entries := make(map[pgarchive.DumpID]int), make(map[pgarchive.DumpID]*pgarchive.Entry)
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if entries[e.ID] != nil {
			t.Fatalf("two entries have ID %d", e.ID)
		}
		entries[e.ID] = e
	}
	var visit func(e *pgarchive.Entry)
	visit = func(e *pgarchive.Entry) {
		state[e.ID] = open
		for _, id := range e.Dependencies {
			switch other := entries[id]; {
			case other == nil:
				t.Fatalf("%s %s depends on %d, which is not there", e.Desc, e.Tag, id)
			case state[id] == open:
				t.Fatalf("%s %s depends on itself, by %s %s", e.Desc, e.Tag, other.Desc, other.Tag)
			case state[id] == 0:
				visit(other)
			}
		}
		state[e.ID] = done
	}
	for i := range toc.Entries {
		if e := &toc.Entries[i]; state[e.ID] == 0 {
			visit(e)
		}
	}
}

func TestRead_Truncated(t *testing.T) {
	for path, script := range small(t) {
		for n := range script {
			if err := checkRead(t, script[:n]); err == nil && n < len(script)-1 {
				t.Errorf("%s: first %d of %d bytes are accepted", path, n, len(script))
			}
		}
	}
}

func TestRead_FlippedBit(t *testing.T) {
	for path, script := range small(t) {
		accepted := 0
		broken := bytes.Clone(script)
		for i := range script {
			broken[i] ^= 1 << (i % 8)
			if checkRead(t, broken) == nil {
				accepted++
			}
			broken[i] = script[i]
		}
		t.Logf("%s: %d of %d accepted", path, accepted, len(script))
	}
}

func TestRead_Refused(t *testing.T) {
	script := string(unpack(t, "testdata/pg18/cellar.sql.gz"))
	replace := func(old, new string) string {
		if !strings.Contains(script, old) {
			t.Fatalf("no %q in the script", old)
		}
		return strings.Replace(script, old, new, 1)
	}
	for name, c := range map[string]struct{ script, want string }{
		"CRLF":          {strings.ReplaceAll(script, "\n", "\r\n"), "line 1 (offset 2): carriage return"},
		"empty":         {"", "script ends where"},
		"no script":     {"SELECT 1;\n", "line 1 (offset 0): statement"},
		"twice":         {script + script, "where the end of the script should be"},
		"unknown kind":  {replace("Type: SCHEMA;", "Type: SUBSCRIPTION TABLE;"), "items of type"},
		"other kind":    {replace("Type: VIEW;", "Type: TABLE;"), "header and definition do not agree"},
		"other owner":   {replace("label OWNER TO kitchen_owner", "label OWNER TO cook"), "another owner"},
		"other object":  {replace("TYPE public.label OWNER", "TYPE public.lable OWNER"), "statement about the owner"},
		"other table":   {replace("COPY public.own_space", "COPY public.own_spice"), "another table"},
		"psql command":  {replace("SET lock_timeout", "\\! ls\nSET lock_timeout"), `psql command "\\! ls"`},
		"other setting": {replace("SET lock_timeout = 0", "SET lock_timeout = 1"), "where a setting"},
		"new statement": {replace("SET default_tablespace", "UPDATE x SET a = 1;\n\nSET default_tablespace"), "where a statement as"},
		"DROP":          {replace("--\n-- Name: public;", "DROP TABLE x;\n--\n-- Name: public;"), "--clean"},
		"newer release": {replace("by pg_dump version 18", "by pg_dump version 19"), "known are 13 to 18"},
		"other key":     {replace("unrestrict kitchen", "unrestrict cellar"), `where "\\unrestrict kitchen\n" should be`},
		"older release": {replace("by pg_dump version 18", "by pg_dump version 15"), "has no items of type BLOB METADATA"},
		"tablespace": {replace("idx; Type: INDEX; Schema: public; Owner: kitchen_owner; Tablespace: Other \"Space\"",
			"idx; Type: INDEX; Schema: public; Owner: kitchen_owner; Tablespace: cellar"), "another tablespace"},
		"chunk":          {replace("x00ff5c27", "x00ff5c2"), "content of a large object"},
		"line after \\.": {replace("\\.\n\n\n", "\\.\n\n"), ""},
		"rows in SQL":    {replace("\\.\n\n\n", "\\.\n1\n\n\n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.script), nil, Options{Name: "dump.sql"})
			var fe *dumpfmt.FormatError
			if !errors.As(err, &fe) || fe.Offset < 0 || !strings.Contains(err.Error(), "dump.sql: line ") ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q with its place", err, c.want)
			}
		})
	}
}

// FuzzRead: a script gives an archive or an error about it.
func FuzzRead(f *testing.F) {
	for _, script := range small(f) {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		defer fuzzing.Bounded(t, len(script))()
		_ = checkRead(t, script)
	})
}

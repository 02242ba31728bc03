package rebuild

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// scriptOf makes a script of pg_dump 18 of items.
func scriptOf(tb testing.TB, items string) []byte {
	tb.Helper()
	script := string(unpack(tb, "testdata/pg18/cellar.sql.gz"))
	head, _, _ := strings.Cut(script, "--\n-- Name: public;")
	foot := script[strings.Index(script, "--\n-- PostgreSQL database dump complete"):]
	return []byte(head + items + foot)
}

// manyTables makes a script of n tables with an index and a row each.
func manyTables(tb testing.TB, n int) []byte {
	tb.Helper()
	var b strings.Builder
	b.WriteString("SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n")
	each := func(format string) {
		for i := range n {
			b.WriteString(strings.ReplaceAll(format, "NN", fmt.Sprint(i)))
		}
	}
	each("--\n-- Name: tNN; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE public.tNN (\n    id integer NOT NULL,\n    name text\n);\n\n\n")
	each("--\n-- Data for Name: tNN; Type: TABLE DATA; Schema: public; Owner: -\n--\n\nCOPY public.tNN (id, name) FROM stdin;\n1\tone\n\\.\n\n\n")
	each("--\n-- Name: tNN tNN_pkey; Type: CONSTRAINT; Schema: public; Owner: -\n--\n\nALTER TABLE ONLY public.tNN\n    ADD CONSTRAINT tNN_pkey PRIMARY KEY (id);\n\n\n")
	return scriptOf(tb, b.String())
}

func BenchmarkRead_Entries(b *testing.B) {
	script := manyTables(b, 30_000)
	b.SetBytes(int64(len(script)))
	for b.Loop() {
		res, err := Read(bytes.NewReader(script), nil, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if len(res.TOC.Entries) != 90_003 {
			b.Fatalf("%d entries", len(res.TOC.Entries))
		}
	}
}

func BenchmarkRead_Inserts(b *testing.B) {
	script := string(unpack(b, "testdata/pg18/cellar-inserts.sql.gz"))
	insert := "INSERT INTO public.other_space (id, t) VALUES\n"
	row := insert + "\t(4, 'some text; with ''quotes'' and more of it to make it a bit longer'),\n\t(5, NULL);\n"
	script = strings.Replace(script, insert, strings.Repeat(row, 100_000)+insert, 1)
	b.SetBytes(int64(len(script)))
	for b.Loop() {
		if _, err := Read(strings.NewReader(script), nil, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead_LargeObjects(b *testing.B) {
	script := string(unpack(b, "testdata/pg15/cellar.sql.gz"))
	write := `SELECT pg_catalog.lowrite(0, '\\x00ff5c27');` + "\n"
	script = strings.Replace(script, write, strings.Repeat(`SELECT pg_catalog.lowrite(0, '\\x`+strings.Repeat("5a", chunkSize)+"');\n", 1000)+write, 1)
	b.SetBytes(int64(len(script)))
	for b.Loop() {
		if _, err := Read(strings.NewReader(script), nil, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

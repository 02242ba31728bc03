package restore

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgtool"
)

// parted is a table of contents with entries of every step.
func parted() *pgarchive.TOC {
	pre, data, post, none := pgarchive.SectionPreData, pgarchive.SectionData, pgarchive.SectionPostData, pgarchive.SectionNone
	return &pgarchive.TOC{
		Header: pgarchive.Header{Version: pgarchive.Version16, IntSize: 4, OffSize: 8, Format: pgarchive.FormatTar,
			Time: pgarchive.Tm{Day: 1, Year: 126}, Algorithm: pgarchive.Gzip},
		Entries: []pgarchive.Entry{
			{ID: 1, Desc: "ENCODING", Tag: "ENCODING", Section: pre, Defn: pgarchive.Str("SET client_encoding = 'UTF8';\n")},
			{ID: 2, Desc: "TABLE", Tag: "t", Section: pre},
			{ID: 3, Desc: "COMMENT", Tag: "TABLE t", Section: none, Dependencies: []pgarchive.DumpID{2}},
			{ID: 4, Desc: "ACL", Tag: "TABLE t", Section: none, Dependencies: []pgarchive.DumpID{2}},
			{ID: 5, Desc: pgarchive.DescTableData, Tag: "t", Section: data, HadDumper: true, File: "../../5.dat", Dependencies: []pgarchive.DumpID{2}},
			{ID: 6, Desc: "SEQUENCE SET", Tag: "s", Section: data},
			{ID: 7, Desc: pgarchive.DescBlobMetadata, Tag: "1..2", Section: data, Defn: pgarchive.Str("1\n2\n")},
			{ID: 8, Desc: "ACL", Tag: "LARGE OBJECTS 1..2", Section: none, Dependencies: []pgarchive.DumpID{7}},
			{ID: 9, Desc: pgarchive.DescBlobs, Tag: "BLOBS", Section: data, HadDumper: true, File: "blobs_9.toc", Dependencies: []pgarchive.DumpID{7}},
			{ID: 10, Desc: pgarchive.DescBlobMetadata, Tag: "3", Section: data, Defn: pgarchive.Str("3\n")},
			{ID: 11, Desc: "INDEX", Tag: "i", Section: post, Dependencies: []pgarchive.DumpID{2}},
			{ID: 12, Desc: "COMMENT", Tag: "INDEX i", Section: none, Dependencies: []pgarchive.DumpID{11}},
			{ID: 13, Desc: "DEFAULT ACL", Tag: "DEFAULT PRIVILEGES FOR TABLES", Section: post},
		},
	}
}

func TestCutTOC(t *testing.T) {
	toc := parted()
	p := cutTOC(toc)
	var before, after []pgarchive.DumpID
	for i := range toc.Entries {
		id := toc.Entries[i].ID
		if !p.notBefore[id] {
			before = append(before, id)
		}
		if !p.done[id] {
			after = append(after, id)
		}
	}
	// 5, 7 and 9 are loaded by odx; nothing makes the large object 3 but its entry.
	if want := []pgarchive.DumpID{1, 2, 3}; !slices.Equal(before, want) {
		t.Errorf("before the data %v, want %v", before, want)
	}
	if want := []pgarchive.DumpID{4, 6, 8, 10, 11, 12, 13}; !slices.Equal(after, want) {
		t.Errorf("after the data %v, want %v", after, want)
	}
}

// TestWriteTOC writes for an old pg_restore and for a new one.
func TestWriteTOC(t *testing.T) {
	for _, tt := range []struct {
		major   int
		version pgarchive.Version
		left    bool
	}{{13, pgarchive.Version14, true}, {16, pgarchive.Version15, true}, {17, pgarchive.Version16, false}, {18, pgarchive.Version16, false}} {
		scratch, err := dumpfmt.CreateScratch(t.TempDir(), "restore")
		if err != nil {
			t.Fatal(err)
		}
		r := &run{source: &source{toc: parted()}, work: scratch, without: map[pgarchive.DumpID]bool{},
			tool: pgtool.Tool{Version: pgtool.Version{Major: tt.major}}}
		if r.source.dump, err = r.writeTOC("after", map[pgarchive.DumpID]int64{5: 10 << 20, 9: 4 << 20}); err != nil {
			t.Fatal(err)
		}
		a, err := pgarchive.Open(r.source.dump)
		if err != nil {
			t.Fatal(err)
		}
		if v := a.TOC.Header.Version; v != tt.version || a.NeedsMajor() > tt.major || len(a.TOC.Entries) != len(r.source.toc.Entries) {
			t.Errorf("%d: version %s for pg_restore %d, %d entries", tt.major, v, a.NeedsMajor(), len(a.TOC.Entries))
		}
		if r.without[8] != tt.left || tt.left != strings.Contains(strings.Join(r.report.Warnings, "\n"), "large objects 1..2") {
			t.Errorf("%d: ACL of large objects left out: %t, warnings %q", tt.major, r.without[8], r.report.Warnings)
		}
		info, err := os.Stat(filepath.Join(r.source.dump, "5.dat"))
		if err != nil || info.Size() != 10<<20/sizeUnit {
			t.Errorf("%d: stand-in: %v", tt.major, err)
		}
		if r.source.toc.Entries[4].File != "../../5.dat" {
			t.Error("the source's own table of contents was changed")
		}
	}
}

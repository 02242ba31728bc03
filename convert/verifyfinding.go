package convert

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"odx/dumpfmt"
)

// Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Damaged    Severity = "damaged"    // a restore fails, or gives other data
	Incomplete Severity = "incomplete" // a restore works, and attachments are without their files
	Odd        Severity = "odd"        // a restore works
	Whole      Severity = "whole"      // nothing was found
)

func (s Severity) rank() int { return slices.Index([]Severity{Damaged, Incomplete, Odd, Whole}, s) }

// Finding is one kind of thing that is wrong.
type Finding struct {
	Kind     string        `json:"kind"`
	Severity Severity      `json:"severity"`
	Means    string        `json:"means"`  // for a restore
	Count    int64         `json:"count"`  // how often
	Places   []VerifyPlace `json:"places"` // the first of them, at most maxFound
}

// maxFound is how many places of a kind of finding are kept.
const maxFound = 20

// VerifyPlace is where something is wrong.
type VerifyPlace struct {
	Where  string `json:"where,omitempty"`  // file, member, or table
	Row    int64  `json:"row,omitempty"`    // of the table, from 1
	Offset *int64 `json:"offset,omitempty"` // in bytes: of a row in the table's text, else in the file
	What   string `json:"what"`
}

// finding is a kind with what it means.
type finding struct {
	kind     string
	severity Severity
	means    string
}

// The kinds of findings.
var (
	badStructure = finding{"structure", Damaged, "the dump cannot be read; only another copy of it can be restored"}
	badMember    = finding{"zip member", Damaged, "the member is not what was put into the zip; Odoo refuses the whole zip"}
	badScript    = finding{"script", Damaged, "odx does not restore this script, and psql stops there or restores something else"}
	badData      = finding{"data file", Damaged, "the table stays empty or loses rows; odx refuses the restore"}
	badRow       = finding{"row", Damaged, "the table's COPY fails and it stays empty, or it gets other values"}
	badDigest    = finding{"digest", Damaged, "the file is not the one that odx wrote; odx refuses the restore"}
	badRecord    = finding{"odx.json", Damaged, "odx refuses the restore; without odx.json it restores what the other files have"}
	badManifest  = finding{"manifest.json", Damaged, "odx refuses the restore; Odoo itself does not read the file"}
	badContent   = finding{"filestore file", Damaged, "the attachments with this file have other content than they had"}
	badSize      = finding{"file size", Damaged, "the attachment's file is not the one that the database knows"}
	unreadable   = finding{"unreadable", Damaged, "what cannot be read cannot be restored"}
	noStore      = finding{"filestore missing", Damaged, "the backup was made with a filestore, which is gone; odx refuses the restore"}

	badStore = finding{"filestore link", Damaged, "the link does not lead to a filestore of Odoo; odx refuses the restore"}

	missingFile = finding{"missing file", Incomplete, "Odoo shows the attachment, and opening it fails or gives nothing"}

	unusedFile  = finding{"unused file", Odd, "a restore does not use it"}
	oddManifest = finding{"other manifest", Odd, "Odoo does not look at it; the file may be that of another backup, or was changed"}
	oddChecksum = finding{"other checksum", Odd, "the attachment's checksum is not that of its file; Odoo takes the file"}
	oddSize     = finding{"other file size", Odd, "the file's content is what its name says, its size is not what the database says; Odoo takes the file"}
	oddStore    = finding{"linked filestore", Odd, "a restore takes the files from there; a copy of the backup may have the link alone"}
	oddName     = finding{"other name", Odd, "the file has no name that Odoo gives, so its content cannot be checked; it is restored as it is"}
	oddKind     = finding{"no regular file", Odd, "a restore leaves it out"}
	oddRecord   = finding{"other odx.json", Odd, "odx restores what there is"}
	oddKept     = finding{"kept script", Odd, "a restore does not use it; the way back to the same zip is lost"}
	leftOut     = finding{"no filestore", Odd, "the backup was made without one; the database is restored, and its attachments have no files"}
	oddTables   = finding{"not checked", Odd, "the restore is not touched by it"}
	oddZip      = finding{"odx members", Odd, "the zip is restored by reading dump.sql from its start"}
)

// findings collects what is wrong. Its methods may be called from several
// goroutines.
type findings struct {
	mu    sync.Mutex
	kinds []*Finding
}

// place is a position in a file or a table. The zero value is none.
type place struct {
	row    int64
	offset int64
	known  bool // offset is
}

// add counts something that is wrong, and keeps it if there are few like it.
func (f *findings) add(kind finding, where string, at place, what string) {
	f.addLazy(kind, where, at, func() string { return what })
}

// addLazy is add that makes the text only where it is kept.
func (f *findings) addLazy(kind finding, where string, at place, what func() string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.kinds, func(g *Finding) bool { return g.Kind == kind.kind })
	if i < 0 {
		i = len(f.kinds)
		f.kinds = append(f.kinds, &Finding{Kind: kind.kind, Severity: kind.severity, Means: kind.means})
	}
	g := f.kinds[i]
	g.Count++
	if len(g.Places) == maxFound {
		return
	}
	p := VerifyPlace{Where: where, Row: at.row, What: what()}
	if at.known {
		p.Offset = &at.offset
	}
	g.Places = append(g.Places, p)
}

// list gives the findings, the worst first, and the worst severity.
func (f *findings) list() ([]Finding, Severity) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Finding, 0, len(f.kinds))
	for _, g := range f.kinds {
		slices.SortStableFunc(g.Places, func(a, b VerifyPlace) int {
			return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Row, b.Row))
		})
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(a.Kind, b.Kind))
	})
	if len(all) == 0 {
		return all, Whole
	}
	return all, all[0].Severity
}

// wherePath is the file that an error is about, else the name given.
func wherePath(err error, name string) string {
	if f := (*dumpfmt.FormatError)(nil); errors.As(err, &f) && f.Path != "" {
		return f.Path
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Path
	}
	return name
}

// offsetOf is the offset that an error names.
func offsetOf(err error) place {
	if f := (*dumpfmt.FormatError)(nil); errors.As(err, &f) && f.Offset >= 0 {
		return place{offset: f.Offset, known: true}
	}
	return place{}
}

// reason is an error's text without the file and the offset.
func reason(err error) string {
	f := (*dumpfmt.FormatError)(nil)
	switch {
	case !errors.As(err, &f):
		return err.Error()
	case f.Field == "":
		return f.Err.Error()
	}
	return f.Field + ": " + f.Err.Error()
}

package restore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"odx/dumpfmt/pgarchive"
)

// loadScript fills the database from a script in three steps. What stands before
// the data is run first; the data are loaded as they are read, over several
// connections; all else comes last, in parallel. For the first and the last step
// pg_restore gets a table of contents, so that all its rules and odx's own hold.
func (r *run) loadScript(ctx context.Context, p *plan) error {
	c := r.source.script
	if c.note != "" {
		r.warn("%s", c.note)
	}
	if r.source.toc.Header.Version.AtLeast(pgarchive.Version16) && r.target.admin.Version < 170000 && r.tool.Version.Major < 17 {
		r.warn("skipped: the script sets transaction_timeout, which this server does not know")
	}
	r.tables = map[tableKey]bool{}
	for i := range r.source.toc.Entries {
		if e := &r.source.toc.Entries[i]; e.Desc == pgarchive.DescTable || e.Desc == "FOREIGN TABLE" {
			r.tables[tableKey{e.Namespace.String, e.Tag}] = e.Desc == pgarchive.DescTable
		}
	}
	r.without = cutTOC(r.source.toc).notBefore
	var err error
	if r.source.dump, err = r.writeTOC("before", nil); err != nil {
		return fmt.Errorf("write the table of contents: %w", err)
	}
	if err := r.load(ctx, false); err != nil {
		return err
	}
	r.step("objects made")
	sizes, err := r.loadData(ctx)
	if err != nil {
		return err
	}
	r.step("data loaded")
	if c.places == nil { // the rest of the table of contents is known now
		if err := r.planAgain(ctx, p); err != nil {
			return err
		}
	}
	r.without = r.doneByNow()
	if r.source.dump, err = r.writeTOC("after", sizes); err != nil {
		return fmt.Errorf("write the table of contents: %w", err)
	}
	r.weights = weigh(r.source.toc, sizes)
	r.Progress.Objects.Start(sum(r.weights.object))
	stop := r.poll(ctx)
	defer stop()
	return r.load(ctx, false)
}

// planAgain plans what comes after the data of a script.
func (r *run) planAgain(ctx context.Context, p *plan) error {
	if err := refuseStrange(r.source.toc); err != nil {
		return err
	}
	if err := r.createMissing(ctx); err != nil {
		return err
	}
	if err := r.checkTablespaces(ctx, r.target.admin); err != nil {
		return err
	}
	s, err := r.Server.Open(ctx, r.target.temp, r.application())
	if err != nil {
		return err
	}
	defer s.Close()
	refused := p.refused
	*p = makePlan(r.source.toc)
	p.refused = refused
	r.publicACL = p.publicACL && !r.NoPrivileges
	if err := r.planRounds(ctx, s, p); err != nil {
		return err
	}
	r.sayLeftOut()
	return nil
}

// parts tells the steps of a restore apart.
type parts struct {
	notBefore map[pgarchive.DumpID]bool // does not belong to the first step
	done      map[pgarchive.DumpID]bool // does not belong to the last one
}

// cutTOC cuts a table of contents into what stands before the data, the data
// and the rest. Comments belong to what stands before them. ACLs come last, as
// pg_restore has it: they could keep the owner itself from loading the data.
func cutTOC(toc *pgarchive.TOC) parts {
	p := parts{notBefore: map[pgarchive.DumpID]bool{}, done: map[pgarchive.DumpID]bool{}}
	groups := map[pgarchive.DumpID]bool{} // of large objects, which are made with their data
	for i := range toc.Entries {
		if e := &toc.Entries[i]; e.IsLargeObjects() {
			for _, id := range e.Dependencies {
				groups[id] = true
			}
		}
	}
	section := pgarchive.SectionPreData
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.Section != pgarchive.SectionNone {
			section = e.Section
		}
		isBefore := section == pgarchive.SectionPreData && !isACL(e.Desc)
		p.notBefore[e.ID] = !isBefore
		p.done[e.ID] = isBefore || e.HadDumper || e.Desc == pgarchive.DescBlobMetadata && groups[e.ID]
	}
	return p
}

// doneByNow are the entries that need not be restored any more when the data are
// there. A comment may stand before them and be of the last rounds all the same, as
// that of the schema public.
func (r *run) doneByNow() map[pgarchive.DumpID]bool {
	done, entries := cutTOC(r.source.toc).done, r.source.toc.ByID()
	for _, now := range r.rounds {
		for _, id := range now.entries {
			if now.last && isNote(entries[id].Desc) {
				delete(done, id)
			}
		}
	}
	return done
}

// sizeUnit is what a byte of a stand-in for a data file stands for.
const sizeUnit = 1 << 10

// writeTOC makes an archive without data for pg_restore. It builds the indexes
// of large tables first if it sees large data files: so each has a stand-in,
// with a hole in place of the data. It gives the archive's folder.
func (r *run) writeTOC(name string, sizes map[pgarchive.DumpID]int64) (dir string, err error) {
	toc := r.tocForTool()
	dir = filepath.Join(r.work.Path(), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := pgarchive.WriteTOC(&text, toc); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "toc.dat"), text.Bytes(), 0o600); err != nil {
		return "", err
	}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		n := sizes[e.ID] / sizeUnit
		if e.Desc != pgarchive.DescTableData || n == 0 {
			continue
		}
		path := filepath.Join(dir, e.File)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return "", err
		}
		if err := os.Truncate(path, n); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// largeObjectGroup starts the tag of the ACL of a group of large objects, which
// pg_restore 17 applies to each of them.
const largeObjectGroup = "LARGE OBJECTS "

// tocForTool gives the table of contents in a version that pg_restore reads. An
// older one lacks nothing that is needed, but for the ACLs of groups of large
// objects: those are left out, and named.
func (r *run) tocForTool() *pgarchive.TOC {
	toc := &pgarchive.TOC{Header: r.source.toc.Header, Entries: slices.Clone(r.source.toc.Entries)}
	h := &toc.Header
	h.Version = h.Version.ReadBy(r.tool.Version.Major)
	h.Format, h.Algorithm, h.Level = pgarchive.FormatTar, pgarchive.None, 0
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.HadDumper { // what a file says is no path of ours
			e.File = fmt.Sprintf("%d.dat", e.ID)
		}
		if e.Desc == "ACL" && strings.HasPrefix(e.Tag, largeObjectGroup) && !h.Version.AtLeast(pgarchive.Version16) && !r.without[e.ID] {
			r.without[e.ID] = true
			r.warn("left out, only pg_restore 17 or newer can do it: grants on %s", strings.ToLower(e.Tag))
		}
	}
	return toc
}

package main

import (
	"fmt"
	"strings"
	"time"

	"odx/parallel/dump"
	"odx/parallel/odoo"
	"odx/parallel/restore"
)

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// dumpSummary tells in a few lines what was dumped.
func (u *ui) dumpSummary(r *dump.Report) {
	rec := &r.Record
	u.say("odx: dumped %s in %s to %s", rec.Database.Name, seconds(r.Seconds.Total), r.Target)
	u.say("     database   %s on the server, %s dumped in %s by %s",
		bytesText(rec.Database.Bytes), bytesText(rec.Archive.Bytes), seconds(r.Seconds.Database), r.Tool)
	if r.Seconds.Pack > 0 {
		u.say("     zip        written in %s, with the filestore", seconds(r.Seconds.Pack))
	}
	if len(r.Tables) > 0 {
		rows, text := r.Copied()
		u.say("     rows       %d of %d tables, %s of text at %s a second, copied by odx itself",
			rows, len(r.Tables), bytesText(text), bytesText(int64(float64(text)/max(r.Seconds.Database, 0.001))))
	}
	if x := rec.Archive.Excluded; len(x) > 0 {
		u.say("     left out   the rows of tables that match %s", strings.Join(x, ", "))
	}
	if r.EngineNote != "" {
		u.say("     rows       %s", r.EngineNote)
	}
	if f := rec.Filestore; f != nil {
		u.say("     filestore  %d files, %s in %s; guard against garbage collection: %s",
			f.Files, bytesText(f.Bytes), seconds(r.Seconds.Filestore), f.GCGuard)
		if s := f.SHA1; s != nil {
			u.say("                %d copied files have the SHA-1 that is their name, %d have not; %d linked from the earlier backup", s.Copied, s.Wrong, s.Linked)
		}
		u.lossSummary(f.Named, f.Missing, f.Damaged, f.Unread, f.Lost)
	}
}

// restoreSummary tells in a few lines what was restored.
func (u *ui) restoreSummary(r *restore.Report) {
	u.say("odx: restored %s in %s as database %s, owned by %s", r.Source, seconds(r.Seconds.Total), r.Database, r.Owner)
	u.say("     database   loaded in %s by %s; %s", seconds(r.Seconds.Load), r.Tool, r.Locale)
	for _, a := range r.Added {
		u.say("     added      %s", a)
	}
	if n := len(r.Superuser); n > 0 {
		u.say("     superuser  %d entries made by the connecting role, because only a superuser may (--json names them)", n)
	}
	if n := len(r.LeftOut); n > 0 {
		u.say("     left out   %d things that could not apply here (--json lists them)", n)
	}
	for _, p := range r.Reset {
		u.say("     reset      %s", p)
	}
	if n := r.Neutralize; n != nil {
		u.neutralizeSummary(n)
	}
	if f := r.Files; f != nil {
		u.filesSummary(f, r)
		u.lossSummary(f.Named, f.Missing, f.Damaged, f.Unread, f.Lost)
	}
	if x := r.Replaced; x != nil && x.Database {
		u.say("     replaced   the old database; the name was closed to connections for %s", seconds(x.Closed))
	}
}

func (u *ui) filesSummary(f *restore.FilesReport, r *restore.Report) {
	u.say("     filestore  %d files, %s in %s, in %s", f.Files, bytesText(f.Bytes), seconds(r.Seconds.Filestore), r.Filestore)
	if f.Linked > 0 {
		u.say("                %d are hard links, %d copies", f.Linked, f.Files-f.Linked)
	}
	if m := f.Merged; m != nil {
		u.say("     merged     %d files of the backup, %d of %s; both had %d", m.Backup, m.Older, m.From, m.Same+m.Differ)
	}
}

// keptOld tells where the old ones are, also beside a report as JSON.
func (u *ui) keptOld(x *restore.Replaced) {
	if x == nil {
		return
	}
	if x.KeptAs != "" {
		u.say("odx: the old database is kept as %s, as a template so that Odoo does not list it (ALTER DATABASE ... IS_TEMPLATE false)", x.KeptAs)
	}
	if x.KeptFilestore != "" {
		u.say("odx: the old filestore is kept in %s", x.KeptFilestore)
	}
}

// neutralizeSummary tells whose statements were run, and for which modules
// there were none.
func (u *ui) neutralizeSummary(n *odoo.NeutralizeReport) {
	u.say("     neutralize %d steps (%s)", len(n.Ran), n.Source)
	if len(n.Modules) > 0 {
		u.say("                nothing was run for: %s", strings.Join(n.Modules, ", "))
	}
	for _, s := range n.Skipped {
		u.say("                skipped: %s", s)
	}
}

// shownLosses is how many names of lost files people are shown; --json and
// odx.json have more.
const shownLosses = 10

func (u *ui) lossSummary(named, missing, damaged, unread int64, lost []string) {
	if missing+damaged+unread == 0 {
		u.say("     files      all %d that the database names are there", named)
		return
	}
	text := fmt.Sprintf("of %d files that the database names, %d are missing and %d are of the wrong size", named, missing, damaged)
	if unread > 0 {
		text += fmt.Sprintf("; %d files or folders, whether it names them or not, could not be read", unread)
	}
	u.loss(text + ":")
	for i, name := range lost {
		if i == shownLosses {
			u.print("       ... and more; odx.json and --json have the list")
			break
		}
		u.print("       " + printable(name))
	}
}

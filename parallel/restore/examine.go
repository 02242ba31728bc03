package restore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"odx/parallel"
	"odx/parallel/doctor"
	"odx/parallel/filestore"
	"odx/parallel/server"
)

// ownSessions are those of a restore beside the ones that load: those that name
// the database, work in it, write the journal and ask for the progress.
const ownSessions = 4

// Check finds out what would stop the restore or make it slow, and makes
// nothing that stays. The backup's content is not read, but for tables of contents. The
// error says that it could not look.
func Check(ctx context.Context, o Options) (findings []doctor.Finding, err error) {
	r := &run{Options: o}
	r.Progress, r.Jobs = &parallel.Progress{}, max(r.Jobs, 1)
	r.source, err = openSource(&r.Options)
	defer r.source.close()
	if err != nil {
		return nil, err
	}
	admin, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	_, err = r.preflight(ctx, admin)
	findings = doctor.Refusals("restore", err, r.report.Warnings)
	more, err := r.examine(ctx, admin)
	return append(findings, more...), err
}

// examine runs the checks of package doctor.
func (r *run) examine(ctx context.Context, admin *server.Session) (list []doctor.Finding, err error) {
	var size int64 // of the database that was dumped
	if r.source.record != nil {
		size = r.source.record.Database.Bytes
	}
	for _, check := range []func() ([]doctor.Finding, error){
		func() ([]doctor.Finding, error) {
			return doctor.Pooler(ctx, r.Server, r.Maint, r.application())
		},
		func() ([]doctor.Finding, error) { return doctor.Connections(ctx, admin, r.Jobs+ownSessions, false) },
		func() ([]doctor.Finding, error) { return doctor.Extensions(ctx, admin, r.extensionNames()) },
		func() ([]doctor.Finding, error) { return doctor.Settings(ctx, admin) },
		func() ([]doctor.Finding, error) { return doctor.WAL(ctx, admin, size) },
		func() ([]doctor.Finding, error) {
			return doctor.ServerTemporary(ctx, admin, r.Server.Local(), size)
		},
		func() ([]doctor.Finding, error) {
			return doctor.Scratch(os.TempDir(), r.scratchNeed())
		},
		func() ([]doctor.Finding, error) { return r.examineDisks(ctx, admin, size) },
	} {
		found, err := check()
		if err != nil {
			return list, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// scratchNeed is about what lists of entries and tables of contents for pg_restore
// take, in bytes: of an archive it is given the archive's own, as a rule, and of a
// script one before the data and one after them.
func (r *run) scratchNeed() int64 {
	const inList, fixed = 16, 256 // bytes of an entry
	need := int64(len(r.source.toc.Entries)) * inList
	if r.source.script == nil {
		return need
	}
	for i := range r.source.toc.Entries {
		e := &r.source.toc.Entries[i]
		need += 2 * int64(fixed+len(e.Defn.String)+len(e.CopyStmt.String))
	}
	return need
}

// extensionNames gives those that the restore does not go on without.
func (r *run) extensionNames() []string {
	names := []string{}
	for _, x := range makePlan(r.source.toc).extensions {
		if !r.SkipExtensions || r.knowsNeeds() && r.needs(x) {
			names = append(names, x.name)
		}
	}
	return names
}

// examineDisks compares what the backup's record, or its directory, says of sizes
// with what is free on the server's disk and on the filestore's.
func (r *run) examineDisks(ctx context.Context, admin *server.Session, size int64) (list []doctor.Finding, err error) {
	var archive int64
	if r.source.record != nil {
		archive = r.source.record.Archive.Bytes
	}
	needs, err := doctor.ServerNeeds(ctx, admin, r.Server.Local(), size, archive)
	if err != nil {
		return nil, err
	}
	if len(needs) == 0 {
		text := "the server's disk was not looked at: it is another machine's, or the role may not read data_directory"
		if size > 0 {
			text += fmt.Sprintf("; the database may need %d MB there, and its write-ahead log comes on top", (size+size/10)>>20)
		}
		list = append(list, doctor.Finding{Check: "disk", Severity: doctor.Note, Text: text})
	}
	if r.Filestore != "" {
		parent := filepath.Dir(r.Filestore)
		found, err := doctor.Folder(parent)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
		needs = append(needs, r.filestoreNeed(parent))
	}
	found, err := doctor.Disk(needs...)
	return append(list, found...), err
}

// Of files that may be linked nothing is known.
func (r *run) filestoreNeed(parent string) doctor.Need {
	need := r.backupFilesNeed(parent)
	if r.source.older != "" && !r.HardLink {
		files, bytes := doctor.EstimateFilestore(r.source.older)
		need.Files, need.Likely = need.Files+files/2, max(need.Likely, need.Least)+bytes
	}
	return need
}

func (r *run) backupFilesNeed(parent string) doctor.Need {
	need := doctor.Need{What: "the filestore", Dir: parent}
	switch {
	case r.HardLink && r.source.filestore != "" && filestore.CanLink(r.source.filestore, parent, r.give):
	case r.source.script != nil && r.source.script.zip != nil:
		need.Files, need.Least = r.source.script.filestoreSize()
	case r.source.record != nil && r.source.record.Filestore != nil:
		need.Files, need.Likely = r.source.record.Filestore.Files, r.source.record.Filestore.Bytes
	case r.source.filestore != "":
		files, bytes := doctor.EstimateFilestore(r.source.filestore)
		need.Files, need.Likely = files/2, bytes
	}
	return need
}

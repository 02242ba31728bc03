package dump

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"odx/parallel"
	"odx/parallel/doctor"
	"odx/parallel/server"
)

// ownSessions are those of a dump beside the ones that copy rows: the guard, the
// snapshot's, the one that lists tables, and pg_dump's own.
const ownSessions = 4

// checkWait is how long Check waits for a lock: who holds it is a finding.
const checkWait = 2 * time.Second

// Check finds out what would stop the dump or make it slow, and makes nothing.
// The error says that it could not look.
func Check(ctx context.Context, o Options) ([]doctor.Finding, error) {
	r := &run{Options: o}
	r.Progress, r.Jobs, r.LockWait = &parallel.Progress{}, max(r.Jobs, 1), checkWait
	s, err := r.openFirst(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	_, err = r.look(ctx, s)
	err = r.explainLock(err)
	findings := doctor.Refusals("dump", err, r.report.Warnings)
	more, err := r.examine(ctx, s)
	return append(findings, more...), err
}

// examine runs the checks of package doctor. The session is in the database.
func (r *run) examine(ctx context.Context, s *server.Session) (list []doctor.Finding, err error) {
	var size int64
	if err := s.Scan(ctx, "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", &size); err != nil {
		return nil, fmt.Errorf("read the database's size: %w", err)
	}
	for _, check := range []func() ([]doctor.Finding, error){
		func() ([]doctor.Finding, error) {
			return doctor.Pooler(ctx, r.Server, r.Database, r.application())
		},
		func() ([]doctor.Finding, error) { return doctor.Connections(ctx, s, r.Jobs+ownSessions, true) },
		func() ([]doctor.Finding, error) { return doctor.Locks(ctx, s) },
		func() ([]doctor.Finding, error) { return doctor.LockTable(ctx, s) },
		func() ([]doctor.Finding, error) { return doctor.Transactions(ctx, s, doctor.LongTransaction) },
		func() ([]doctor.Finding, error) { return r.examineTarget(size) },
	} {
		found, err := check()
		if err != nil {
			return list, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// examineTarget looks at the folder that the backup is made in. A zip has a
// check of its own, once the sizes of the tables are known.
func (r *run) examineTarget(size int64) ([]doctor.Finding, error) {
	if r.Target == "" {
		return nil, nil
	}
	list, err := doctor.Folder(filepath.Dir(r.Target))
	if err != nil || r.Pack != nil || len(doctor.Blocked(list)) > 0 {
		return list, err
	}
	need := doctor.Need{What: "the backup", Dir: filepath.Dir(r.Target), Least: size / leastShare, Likely: size / commonShare}
	if len(r.ExcludeTableData) > 0 {
		need.Least, need.Likely = 0, 0
	}
	if r.Filestore != "" && r.LinkDest == "" { // nobody knows how much of it is new
		files, bytes := doctor.EstimateFilestore(r.Filestore)
		need.Files, need.Likely = files/2, need.Likely+bytes
	}
	found, err := doctor.Disk(need)
	return append(list, found...), err
}

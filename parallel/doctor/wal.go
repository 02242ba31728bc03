package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"odx/parallel/server"
)

// walShare is how many bytes of write-ahead log a restore writes for each byte of
// the database: rows, their indexes, and whole pages after checkpoints.
const walShare = 2

// WAL names what makes the server keep the write-ahead log that a restore writes,
// until its disk is full and the server stops: an archiver that fails, and
// replication slots that nobody reads. The database is about size bytes, 0 if
// unknown.
func WAL(ctx context.Context, s *server.Session, size int64) ([]Finding, error) {
	list, err := archiver(ctx, s, size)
	if err != nil {
		return nil, err
	}
	slots, err := slots(ctx, s, size)
	return append(list, slots...), err
}

// asMuch says how much log a restore writes.
func asMuch(size int64) string {
	if size == 0 {
		return "all that the restore writes"
	}
	return fmt.Sprintf("what the restore writes, perhaps %d MB,", walShare*size>>20)
}

func archiver(ctx context.Context, s *server.Session, size int64) ([]Finding, error) {
	var isFailing bool
	var failed int64
	var last, when string
	err := s.Scan(ctx, `SELECT current_setting('archive_mode') <> 'off' AND COALESCE(last_failed_time > COALESCE(last_archived_time, '-infinity'), false),
		failed_count, COALESCE(last_failed_wal, '?'), COALESCE(to_char(last_failed_time, 'YYYY-MM-DD HH24:MI'), '?')
		FROM pg_catalog.pg_stat_archiver`, &isFailing, &failed, &last, &when)
	if err != nil {
		return nil, fmt.Errorf("read how the archiver fares: %w", err)
	}
	if !isFailing {
		return nil, nil
	}
	return []Finding{{Check: "wal", Severity: Warning,
		Text: fmt.Sprintf("the server cannot archive its write-ahead log (%d failures, the last with %s at %s), and keeps it in pg_wal: %s comes on top", failed, last, when, asMuch(size)),
		Do:   "make archive_command, or archive_library, work again first (the server's log says why it fails)"}}, nil
}

func slots(ctx context.Context, s *server.Session, size int64) (list []Finding, err error) {
	type slot struct {
		Name   string
		Active bool
		Status string
		Behind int64 // bytes
		Most   int64 // MB that slots may keep; -1 without a bound
	}
	// A standby has no log of its own, and nothing can be restored there.
	found, err := gather[slot](ctx, s, "read the replication slots", `
		SELECT slot_name::text, active, COALESCE(wal_status, ''),
		       CASE WHEN pg_catalog.pg_is_in_recovery() THEN 0
		            ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn) END::bigint,
		       (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size')
		FROM pg_catalog.pg_replication_slots
		WHERE restart_lsn IS NOT NULL AND COALESCE(wal_status, '') <> 'lost' AND (NOT active OR wal_status <> 'reserved')
		ORDER BY 4 DESC, 1 LIMIT 5`)
	if err != nil {
		return nil, err
	}
	for _, x := range found {
		why, do := "which nobody reads", "let its reader connect first, or, if it is gone for good, drop the slot: SELECT pg_drop_replication_slot(name)"
		if x.Active {
			why, do = "whose reader does not keep up", "wait until it has caught up, or find out what holds it up (pg_stat_replication)"
		}
		then := asMuch(size) + " stays in pg_wal too, until its disk is full and the server stops"
		if x.Most >= 0 {
			then = fmt.Sprintf("when it is more than %d MB behind (max_slot_wal_keep_size) the slot is lost, and its reader has to be set up anew", x.Most)
		}
		list = append(list, Finding{Check: "wal", Severity: Warning, Do: do,
			Text: fmt.Sprintf("the server keeps its write-ahead log for replication slot %s, %s (%d MB behind): %s", x.Name, why, x.Behind>>20, then)})
	}
	return list, nil
}

// walNeed is what the log of a server whose data folder is dir grows by on its
// disk while a database of that size is restored; isApart says that the disk is
// not that of the data. All of it is in bytes.
func walNeed(ctx context.Context, s *server.Session, dir string, size int64) (need Need, isApart bool, err error) {
	var grows int64
	err = s.Scan(ctx, `SELECT sum(setting::bigint)::bigint << 20 FROM pg_catalog.pg_settings WHERE name IN ('max_wal_size', 'wal_keep_size')`, &grows)
	if err != nil {
		return need, false, fmt.Errorf("read how large the write-ahead log becomes: %w", err)
	}
	if size > 0 {
		grows = min(grows, walShare*size)
	}
	var there int64 // is used again
	err = s.Scan(ctx, "SELECT COALESCE(sum(size), 0)::bigint FROM pg_catalog.pg_ls_waldir()", &there)
	if err != nil && server.SQLState(err) != "42501" {
		return need, false, fmt.Errorf("read the size of the write-ahead log: %w", err)
	}
	need = Need{What: "the write-ahead log", Dir: filepath.Join(dir, "pg_wal"), Likely: max(grows-there, 0)}
	info, err := os.Lstat(need.Dir)
	return need, err == nil && info.Mode()&fs.ModeSymlink != 0, nil
}

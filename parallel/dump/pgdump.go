package dump

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgtool"
)

// ErrLockedOut is returned when a dump gave up because somebody asked for an
// ACCESS EXCLUSIVE lock on a table that it was about to read.
var ErrLockedOut = errors.New("the dump was locked out of a table")

// pgDumpLockWait bounds pg_dump's wait for its own locks. odx holds the same
// locks already, so they are there at once, unless somebody queues for a
// stronger one: he waits for odx, odx for pg_dump, and pg_dump for him, which
// no server can see as a deadlock.
const pgDumpLockWait = 5 * time.Second

// pgDumpCommand is a pg_dump in the snapshot. The caller sets what it writes to.
func (r *run) pgDumpCommand(more ...string) (c pgtool.Command, err error) {
	child, err := r.Server.Child(r.Database, r.application(), "")
	if err != nil {
		return c, err
	}
	compress, err := compressArg(r.Compress, r.tool.Version.Major)
	if err != nil {
		return c, err
	}
	args := append(more, "--snapshot="+r.snapshot, "--compress="+compress, "--no-password", "--no-sync",
		fmt.Sprintf("--lock-wait-timeout=%d", pgDumpLockWait.Milliseconds()), "--dbname="+child.DSN)
	for _, p := range r.ExcludeTableData {
		args = append(args, "--exclude-table-data="+p)
	}
	env := pgtool.ChildEnv(r.Environ, child.Set, "PGCLIENTENCODING", "PGDATABASE")
	return pgtool.Command{Tool: r.tool.Path, Args: args, Env: env}, nil
}

// pgDump runs pg_dump in the snapshot. It returns once pg_dump and all its
// workers are gone.
func (r *run) pgDump(ctx context.Context, sizes relations, dg *digester) error {
	out := &pgDumpOutput{run: r, sizes: sizes, digest: dg}
	cmd, err := r.pgDumpCommand("--format=directory", "--file="+r.archiveDir(),
		"--jobs="+strconv.Itoa(r.Jobs), "--verbose")
	if err != nil {
		return err
	}
	cmd.Stderr = out.line
	usage, err := pgtool.Run(ctx, cmd)
	r.noteUsage(usage)
	if err != nil && out.lockedOut() {
		return fmt.Errorf("%w: %w", ErrLockedOut, err)
	}
	return err
}

// pgDumpOutput reads what pg_dump --verbose says. It runs with LC_ALL=C, so
// the words are pg_dump's own in English.
type pgDumpOutput struct {
	run    *run
	sizes  relations
	digest *digester

	mu       sync.Mutex
	tables   map[pgarchive.DumpID]uint32
	byName   map[string]int64
	current  int64 // size of the table under way, when there is one at a time
	isLocked bool
}

// lockStatement is how pg_dump names the statement that failed.
var lockStatement = regexp.MustCompile(`^pg_dump: .*[Qq]uery was: LOCK TABLE `)

var finishedItem = regexp.MustCompile(`^pg_dump: finished item (\d+) (TABLE DATA|BLOBS)`)

func (o *pgDumpOutput) line(line string) {
	switch {
	case strings.HasPrefix(line, "pg_dump: warning: "):
		o.run.warn("pg_dump: %s", strings.TrimPrefix(line, "pg_dump: warning: "))
	case strings.Contains(line, "could not obtain lock on relation"), lockStatement.MatchString(line):
		o.mu.Lock()
		o.isLocked = true
		o.mu.Unlock()
	case o.run.Jobs == 1 && dumpingTable.MatchString(line):
		o.next(dumpingTable.FindStringSubmatch(line)[1])
	default:
		if m := finishedItem.FindStringSubmatch(line); m != nil {
			id, err := strconv.ParseInt(m[1], 10, 32)
			if err == nil {
				o.finished(pgarchive.DumpID(id))
			}
		}
	}
}

// dumpingTable is all that a pg_dump without workers says of its progress.
var dumpingTable = regexp.MustCompile(`^pg_dump: dumping contents of table "(.*)"$`)

// next counts the table before this one as done.
func (o *pgDumpOutput) next(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.run.Progress.Database.Add(o.current)
	o.run.Progress.Database.Item()
	if o.byName == nil {
		o.byName = map[string]int64{}
		for _, t := range o.sizes {
			o.byName[t.schema+"."+t.name] = t.bytes
		}
	}
	o.current = o.byName[name]
}

func (o *pgDumpOutput) lockedOut() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.isLocked
}

// finished counts a table as done and has its data file digested.
func (o *pgDumpOutput) finished(id pgarchive.DumpID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tables == nil {
		o.tables = o.readTables()
	}
	o.run.Progress.Database.Item()
	o.run.Progress.Database.Add(o.sizes[o.tables[id]].bytes)
	o.digest.offer(id)
}

// readTables maps dump IDs to the OIDs of tables. A parallel pg_dump writes toc.dat before
// it starts its workers. Without it progress is less exact, no more.
func (o *pgDumpOutput) readTables() map[pgarchive.DumpID]uint32 {
	tables := map[pgarchive.DumpID]uint32{}
	a, err := pgarchive.Open(o.run.archiveDir())
	if err != nil {
		return tables
	}
	for i := range a.TOC.Entries {
		if e := &a.TOC.Entries[i]; e.Desc == pgarchive.DescTableData {
			tables[e.ID] = e.OID
		}
	}
	return tables
}

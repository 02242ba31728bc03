package restore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/parallel"
	"odx/parallel/server"
)

// journal is the record of what is finished, in a schema of the database under
// construction. Every line is written after the work that it tells of was
// committed, so it is later in the WAL: whatever a crash takes of the work, it
// takes the line too. Work that has no line may be done all the same.
type journal struct {
	session *server.Session
	mu      sync.Mutex
	done    map[line]bool
	pending []line
}

// line says that an entry of a round is finished, or one of these marks.
type line struct {
	round int
	entry pgarchive.DumpID
}

// Marks in the place of an entry; dump IDs begin at 1.
const (
	roundDone       pgarchive.DumpID = 0
	definitionsMade pgarchive.DumpID = -1 // all that comes before the data
	roundBegun      pgarchive.DumpID = -2
)

// resetDone is the line of what Odoo's own restore does in the database.
var resetDone = line{round: -1, entry: roundDone}

const journalSchema = `"` + TempPrefix + `journal"`

// openJournal makes the journal, or reads that which there is. It belongs to the
// owner of the session, and is not in any dump.
func openJournal(ctx context.Context, s *server.Session) (*journal, error) {
	j := &journal{session: s, done: map[line]bool{}}
	err := s.Exec(ctx, `SET synchronous_commit = off; SET row_security = off; CREATE SCHEMA IF NOT EXISTS `+journalSchema+`;
		CREATE TABLE IF NOT EXISTS `+journalSchema+`.done (round int, entry int, PRIMARY KEY (round, entry));
		CREATE TABLE IF NOT EXISTS `+journalSchema+`.had (name text PRIMARY KEY, rows bigint);
		CREATE TABLE IF NOT EXISTS `+journalSchema+`.plan (digest text)`)
	if err == nil {
		err = s.Do(func(c *pgx.Conn) error {
			rows, err := c.Query(ctx, "SELECT round, entry FROM "+journalSchema+".done")
			if err != nil {
				return err
			}
			var l line
			_, err = pgx.ForEachRow(rows, []any{&l.round, &l.entry}, func() error {
				j.done[l] = true
				return nil
			})
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("journal of the restore: %w", err)
	}
	return j, nil
}

// has tells whether a line was written.
func (j *journal) has(round int, entry pgarchive.DumpID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done[line{round, entry}]
}

// isResumable tells whether the work has come so far that going on pays.
func (j *journal) isResumable() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for l := range j.done {
		if l.entry == definitionsMade {
			return true
		}
	}
	return false
}

// add has a line written with the next flush. It does not wait.
func (j *journal) add(round int, entry pgarchive.DumpID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l := (line{round, entry}); !j.done[l] {
		j.done[l] = true
		j.pending = append(j.pending, l)
	}
}

// flush writes what was added.
func (j *journal) flush(ctx context.Context) error {
	j.mu.Lock()
	lines := j.pending
	j.pending = nil
	j.mu.Unlock()
	if len(lines) == 0 {
		return nil
	}
	rounds, entries := make([]int32, len(lines)), make([]int32, len(lines))
	for i, l := range lines {
		rounds[i], entries[i] = int32(l.round), int32(l.entry)
	}
	err := j.session.Exec(ctx, "INSERT INTO "+journalSchema+".done SELECT * FROM unnest($1::int[], $2::int[]) ON CONFLICT DO NOTHING", rounds, entries)
	if err != nil {
		return fmt.Errorf("write the journal of the restore: %w", err)
	}
	return nil
}

// noteIn writes a line together with the work of a transaction.
func noteIn(ctx context.Context, tx pgx.Tx, l line) error {
	if _, err := tx.Exec(ctx, "INSERT INTO "+journalSchema+".done VALUES ($1, $2)", l.round, int(l.entry)); err != nil {
		return fmt.Errorf("write the journal of the restore: %w", err)
	}
	return nil
}

// flushTime is how long the last lines may take.
const flushTime = 10 * time.Second

// during has the lines written twice a second until stop is called, which tells
// what went wrong.
func (j *journal) during(ctx context.Context) (stop func() error) {
	var failed error
	// A line that is being written when the work is ended gets some time for it.
	flushing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	unhurried := context.AfterFunc(ctx, func() { time.AfterFunc(flushTime, giveUp) })
	halt := parallel.Every(ctx, time.Second/2, func() {
		if failed == nil && ctx.Err() == nil {
			failed = j.flush(flushing)
		}
	})
	return func() error {
		defer giveUp()
		halt()
		unhurried()
		if failed != nil {
			return failed
		}
		end, cancel := context.WithTimeout(flushing, flushTime)
		defer cancel()
		return j.flush(end)
	}
}

// agree compares the plan with the one that the work was begun by, if any.
func (j *journal) agree(ctx context.Context, digest string) (bool, error) {
	var had string
	err := j.session.Scan(ctx, "SELECT COALESCE((SELECT digest FROM "+journalSchema+".plan), '')", &had)
	if err == nil && had == "" {
		return true, j.session.Exec(ctx, "INSERT INTO "+journalSchema+".plan VALUES ($1)", digest)
	}
	return had == digest, err
}

// dropJournal removes the journal. It is not called where there is none: that
// could fire an event trigger of the dump's.
func dropJournal(ctx context.Context, s *server.Session) error {
	var there bool
	err := s.Scan(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '"+TempPrefix+"journal')", &there)
	if err == nil && there {
		err = s.Exec(ctx, "DROP SCHEMA "+journalSchema+" CASCADE")
	}
	if err != nil {
		return fmt.Errorf("remove the journal of the restore: %w", err)
	}
	return nil
}

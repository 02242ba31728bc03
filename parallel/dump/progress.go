package dump

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel"
	"odx/parallel/filestore"
)

// pollInterval is how often figures are fetched for progress.
const pollInterval = time.Second

// The server reports COPY's progress from 14 on.
const copyProgress = `
SELECT COALESCE(sum(LEAST(p.bytes_processed, pg_catalog.pg_table_size(p.relid))), 0)::bigint
FROM pg_catalog.pg_stat_progress_copy p JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE a.application_name = $1 AND p.relid <> 0`

// pollCopies refines the progress by what pg_dump's workers have copied of the
// tables under way. It has a session of its own: an error or a time-out on the
// snapshot's session would end the snapshot. Stop does not wait for an answer: the
// question waits for a table's lock behind whoever waits for ours, and he for the
// end of the dump.
func (r *run) pollCopies(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	s, err := r.Server.Open(ctx, r.Database, r.application())
	if err != nil || s.Version < 140000 {
		s.Close()
		cancel()
		return func() {}
	}
	halt := parallel.Every(ctx, pollInterval, func() {
		var bytes int64
		err := s.Do(func(c *pgx.Conn) error { return c.QueryRow(ctx, copyProgress, r.application()).Scan(&bytes) })
		if err == nil {
			r.Progress.Database.SetExtra(bytes)
		}
	})
	return func() { cancel(); halt(); s.Close() }
}

// pollFiles shows the copy's counters as progress.
func (r *run) pollFiles(ctx context.Context, c *filestore.Counters) (stop func()) {
	show := func() { r.Progress.Files.Set(c.Bytes.Load(), c.Files.Load()) }
	halt := parallel.Every(ctx, pollInterval/4, show)
	return func() { halt(); show() }
}

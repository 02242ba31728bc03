package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// generation is a plan that is being carried out.
type generation struct {
	*plan
	copied  atomic.Int64
	buffers sync.Pool
	result  Result
}

// connect opens a session that works as the owner of the database.
func (g *generation) connect(ctx context.Context, database string) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig(g.opts.DSN)
	if err != nil {
		return nil, err
	}
	if database != "" {
		cfg.Database = database
	} else if cfg.Database == "" {
		cfg.Database = "postgres"
	}
	for name, val := range map[string]string{
		"application_name": "odx bench", "client_encoding": "UTF8", "standard_conforming_strings": "on",
		"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0",
		"synchronous_commit": "off", "maintenance_work_mem": "128MB", "search_path": "public",
		// The jobs already take the processors there are.
		"max_parallel_maintenance_workers": "0", "max_parallel_workers_per_gather": "0", "jit": "off",
		// With the usual target of 100, gathering statistics is a fifth of all work.
		"default_statistics_target": "10",
	} {
		cfg.RuntimeParams[name] = val
	}
	return pgconn.ConnectConfig(ctx, cfg)
}

// connectOwner opens a session that works as the owner of the database.
func (g *generation) connectOwner(ctx context.Context) (*pgconn.PgConn, error) {
	conn, err := g.connect(ctx, g.opts.Database)
	if err != nil || g.opts.Owner == "" {
		return conn, err
	}
	if err := exec(ctx, conn, "SET ROLE "+ident(g.opts.Owner)); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

func exec(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

// createDatabase makes the database as Odoo does: template0, UTF8, and a
// collation of C beside the character classes of the server's locale.
func (g *generation) createDatabase(ctx context.Context) (err error) {
	conn, err := g.connect(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	sql := "CREATE DATABASE " + ident(g.opts.Database) + " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'"
	if g.opts.Owner != "" {
		sql += " OWNER " + ident(g.opts.Owner)
	}
	return exec(ctx, conn, sql)
}

// dropDatabase undoes createDatabase, also after the context has ended.
func (g *generation) dropDatabase() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := g.connect(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	return exec(ctx, conn, "DROP DATABASE "+ident(g.opts.Database)+" WITH (FORCE)")
}

// createTables makes what may need the connecting role, and all tables without
// their keys.
func (g *generation) createTables(ctx context.Context) error {
	if err := g.prepareDatabase(ctx); err != nil {
		return err
	}
	var statements []string
	for _, t := range g.schema.tables {
		statements = append(statements, createTable(t))
	}
	return g.serial(ctx, statements)
}

// prepareDatabase does what Odoo 17 and newer do to a new database.
func (g *generation) prepareDatabase(ctx context.Context) (err error) {
	conn, err := g.connect(ctx, g.opts.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if err := exec(ctx, conn, "GRANT CREATE ON SCHEMA public TO PUBLIC"); err != nil {
		return err
	}
	results, err := conn.Exec(ctx, "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'").ReadAll()
	if err != nil {
		return err
	}
	if g.trigrams = len(results[0].Rows) > 0; !g.trigrams {
		return nil
	}
	return exec(ctx, conn, "CREATE EXTENSION pg_trgm")
}

// load fills the tables, each by one COPY so that its rows stay in order.
func (g *generation) load(ctx context.Context) error {
	return parallel(ctx, g, grouped(g.bySize()), g.loadTables)
}

// loadTables fills tables in one transaction. That it empties them first lets the
// server write the rows as frozen, and without a log where wal_level is minimal.
func (g *generation) loadTables(ctx context.Context, conn *pgconn.PgConn, tables []*table) error {
	var names []string
	for _, t := range tables {
		names = append(names, ident(t.name))
	}
	if err := exec(ctx, conn, "BEGIN; TRUNCATE ONLY "+strings.Join(names, ", ONLY ")); err != nil {
		return err
	}
	for _, t := range tables {
		if err := g.loadTable(ctx, conn, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return exec(ctx, conn, "COMMIT")
}

func (g *generation) loadTable(ctx context.Context, conn *pgconn.PgConn, t *table) error {
	var names []string
	for _, c := range allColumns(t) {
		names = append(names, ident(c.name))
	}
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN (FREEZE)", ident(t.name), strings.Join(names, ", "))
	rows := g.open(ctx, t)
	_, err := conn.CopyFrom(ctx, rows, sql)
	rows.close()
	return err
}

// rowReader reads a table's rows in order while goroutines make the next chunks.
type rowReader struct {
	g       *generation
	cancel  context.CancelFunc
	done    chan struct{}
	ready   chan chan chunk // in the order of the chunks
	mu      sync.Mutex      // pgx may still read when CopyFrom has returned an error
	current []byte
	rest    []byte
}

type chunk struct {
	data []byte
	err  error
}

// open starts making the rows of t. As many chunks as there are jobs, and two
// more, are under way at most.
func (g *generation) open(ctx context.Context, t *table) *rowReader {
	ctx, cancel := context.WithCancel(ctx)
	r := &rowReader{g: g, cancel: cancel, done: make(chan struct{}), ready: make(chan chan chunk, g.opts.Jobs)}
	go func() {
		defer close(r.done)
		defer close(r.ready)
		var group errgroup.Group
		group.SetLimit(g.opts.Jobs)
		for number := range chunks(t) {
			slot := make(chan chunk, 1)
			select {
			case r.ready <- slot:
			case <-ctx.Done():
				_ = group.Wait() // the chunks carry their errors themselves
				return
			}
			group.Go(func() error {
				data, err := g.chunk(ctx, t, number, g.buffer())
				slot <- chunk{data, err}
				return nil
			})
		}
		_ = group.Wait()
	}()
	return r
}

// Read implements io.Reader.
func (r *rowReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.rest) == 0 {
		r.release()
		slot, ok := <-r.ready
		if !ok {
			return 0, io.EOF
		}
		c := <-slot
		if c.err != nil {
			return 0, c.err
		}
		r.current, r.rest = c.data, c.data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.g.copied.Add(int64(n))
	return n, nil
}

// close stops making rows and waits until nothing is under way any more.
func (r *rowReader) close() {
	r.cancel()
	for range r.ready {
	}
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release()
}

func (r *rowReader) release() {
	// A buffer that a very long row has grown is not kept.
	if b := r.current; cap(b) > 0 && cap(b) < 4*chunkBytes {
		r.g.buffers.Put(&b)
	}
	r.current = nil
}

func (g *generation) buffer() []byte {
	if b, ok := g.buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, chunkBytes*3/2)
}

package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgcopy"
	"odx/parallel/server"
)

func TestChooseEngine(t *testing.T) {
	for _, tt := range []struct {
		engine   Engine
		compress string
		rate     int64
		server   int
		want     Engine // "" for an error
		level    int
		note     bool
	}{
		{"", "gzip:1", 0, 15, EngineDirect, 1, false},
		{"", "gzip", 5, 10, EngineDirect, 6, false},
		{"", "9", 0, 15, EngineDirect, 9, false},
		{"", "0", 0, 15, EngineDirect, 0, false},
		{"", "none", 0, 15, EngineDirect, 0, false},
		{"", "zstd", 0, 17, EngineDirect, 3, false},
		{"", "zstd:level=19", 0, 17, EngineDirect, 19, false},
		{"", "zstd:3,long", 0, 17, EnginePgDump, 0, true},
		{"", "lz4", 0, 17, EnginePgDump, 0, true},
		{"", "gzip:1", 0, 9, EnginePgDump, 0, true},
		{"", "lz4", 5, 17, "", 0, false},
		{EngineDirect, "lz4", 0, 17, "", 0, false},
		{EngineDirect, "gzip:1", 5, 15, EngineDirect, 1, false},
		{EnginePgDump, "gzip:1", 0, 15, EnginePgDump, 0, false},
		{EnginePgDump, "gzip:1", 5, 15, "", 0, false},
	} {
		r := &run{Options: Options{Engine: tt.engine, Compress: tt.compress, Rate: tt.rate}}
		err := r.chooseEngine(tt.server)
		if tt.want == "" {
			if !errors.Is(err, ErrEngine) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil || r.report.Engine != tt.want || (r.report.EngineNote != "") != tt.note {
			t.Errorf("%+v: %v, %+v", tt, err, r.report)
		}
		if tt.want == EngineDirect && r.compression.Level != tt.level {
			t.Errorf("%+v: level %d", tt, r.compression.Level)
		}
	}
	if _, err := ParseEngine("fast"); err == nil {
		t.Error("an engine called fast")
	}
}

func TestCopiedColumns(t *testing.T) {
	for _, tt := range []struct{ statement, want string }{
		{"COPY public.t (a, b) FROM stdin;\n", "(a, b)"},
		{"COPY public.t  FROM stdin;\n", ""},
		{`COPY "a.b ""c"."d (e) FROM stdin;" ("(", "x FROM stdin;") FROM stdin;` + "\n", `("(", "x FROM stdin;")`},
		{"COPY \"new\nline\".t (a) FROM stdin;\n", "(a)"},
		{"COPY t (a) FROM stdin;\n", "error"},
		{"COPY public.t a FROM stdin;\n", "error"},
		{"COPY public.t (a) TO stdout;\n", "error"},
		{"", "error"},
	} {
		got, err := copiedColumns(tt.statement)
		if tt.want == "error" {
			if err == nil {
				t.Errorf("%q: no error but %q", tt.statement, got)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%q: %q, %v", tt.statement, got, err)
		}
	}
}

// TestDirect_WriteLoad dumps while others insert, update, delete, vacuum, and
// create and drop other tables. The dump is what pg_dump makes of the snapshot.
func TestDirect_WriteLoad(t *testing.T) {
	j := newJudge(t, "")
	j.psql("postgres", "-c", oddTables)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g, gctx := errgroup.WithContext(ctx)
	for i, sql := range []string{
		"INSERT INTO holes SELECT g, 'new' FROM generate_series(1, 300) g; DELETE FROM holes WHERE id % 11 = 0",
		"UPDATE toasted SET big = big || 'x' WHERE id % 50 = 0; UPDATE floats SET r = random()",
		"VACUUM holes; VACUUM toasted",
		"SET lock_timeout = '20ms'; CREATE TABLE IF NOT EXISTS passing AS SELECT 1; DROP TABLE IF EXISTS passing",
		"SELECT nextval('counter')",
	} {
		g.Go(func() error {
			c, err := pgx.Connect(gctx, j.DSN("postgres"))
			if err != nil {
				return err
			}
			defer c.Close(context.Background())
			if i == 4 {
				if _, err := c.Exec(gctx, "CREATE SEQUENCE IF NOT EXISTS counter"); err != nil {
					return err
				}
			}
			for gctx.Err() == nil {
				for _, one := range strings.Split(sql, "; ") {
					if _, err := c.Exec(gctx, one); err != nil && gctx.Err() == nil && server.SQLState(err) != "55P03" {
						return fmt.Errorf("%s: %w", one, err)
					}
				}
			}
			return nil
		})
	}
	times := 2
	if testing.Short() {
		times = 1
	}
	for range times {
		(&judge{j.Cluster, t}).wantSame(j.dump("postgres", "gzip:1"))
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// TestDirect_LockedOut has somebody wait for a lock that excludes reading when
// the rows are about to be copied. He is let through, and the dump made again.
func TestDirect_LockedOut(t *testing.T) {
	o := newOffice(t)
	r := o.newRun()
	r.Engine = EngineDirect
	done := o.truncateWhenBegun(r)
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if report.Attempts != 2 || len(report.Warnings) == 0 {
		t.Errorf("%d attempts, warnings %q", report.Attempts, report.Warnings)
	}
	var rows int
	if err := o.restored(r.Target).QueryRow(t.Context(), "SELECT count(*) FROM (TABLE twin_a UNION ALL TABLE twin_b) x").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows, %v: the dump is older than the TRUNCATE that it let through", rows, err)
	}
}

// truncateWhenBegun has somebody wait for the twins' lock when the rows of the
// first table are about to be copied.
func (o *office) truncateWhenBegun(r *run) <-chan error {
	waiting := connect(o.t, o.name)
	done := make(chan error, 1)
	var once sync.Once
	r.hook = func(step string) {
		if step != "table begun" {
			return
		}
		once.Do(func() {
			go func() {
				_, err := waiting.Exec(context.Background(), "TRUNCATE twin_a, twin_b")
				done <- err
			}()
			for end := time.Now().Add(time.Minute); !o.waited() && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
		})
	}
	return done
}

// TestDirect_LockedOutWhilePacking is tried again if what was packed can be
// taken back, and only then.
func TestDirect_LockedOutWhilePacking(t *testing.T) {
	for _, once := range []bool{false, true} {
		t.Run(fmt.Sprintf("once %t", once), func(t *testing.T) {
			o := newOffice(t)
			r := o.newRun()
			var packs, tables int
			r.PackOnce = once
			r.Pack = func(ctx context.Context, p Packing) error {
				packs, tables = packs+1, 0
				if err := p.Rows(ctx, &countingSink{&tables}); err != nil {
					return err
				}
				_, err := p.Record(Packed{})
				return err
			}
			done := o.truncateWhenBegun(r)
			_, err := r.do(t.Context())
			if e := <-done; e != nil {
				t.Error(e)
			}
			r.nothingLeft(t)
			if once && (packs != 1 || !errors.Is(err, ErrLockedOut)) {
				t.Errorf("packed %d times what cannot be taken back: %v", packs, err)
			}
			if !once && (packs != 2 || tables < 2 || err != nil) {
				t.Errorf("packed %d times, in the end %d tables: %v", packs, tables, err)
			}
		})
	}
}

// countingSink counts the tables that are finished.
type countingSink struct{ tables *int }

func (*countingSink) Begin(pgarchive.DumpID) error       { return nil }
func (*countingSink) Append([]byte, uint32, int64) error { return nil }
func (c *countingSink) Finish() error                    { *c.tables++; return nil }

// waited tells whether somebody waits for a lock.
func (o *office) waited() (is bool) {
	if err := o.QueryRow(context.Background(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").Scan(&is); err != nil {
		o.t.Error(err)
		return true
	}
	return is
}

// TestDirect_Interrupted ends dumps at each step of the copying, by the context
// and by the loss of sessions. Nothing is left, on disk or in the server.
func TestDirect_Interrupted(t *testing.T) {
	for _, at := range []string{"schema read", "table begun"} {
		for _, how := range []string{"cancel", "terminate"} {
			t.Run(at+" "+how, func(t *testing.T) {
				o := newOffice(t)
				r := o.newRun()
				r.Engine = EngineDirect
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var once sync.Once
				r.hook = func(step string) {
					if step != at {
						return
					}
					once.Do(func() {
						if how == "cancel" {
							cancel()
							return
						}
						o.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'odx dump%' AND datname = current_database()")
					})
				}
				report, err := r.do(ctx)
				if err == nil {
					t.Fatalf("no error: %+v", report)
				}
				r.nothingLeft(t)
				for n := 1; n > 0; {
					err := o.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'odx dump%' AND datname = current_database()").Scan(&n)
					if err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestDirect_NotAllowed dumps as a role that may not read a table, and as one
// whom row security hides rows from.
func TestDirect_NotAllowed(t *testing.T) {
	o := newOffice(t)
	o.exec(`CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader`)
	t.Cleanup(func() { o.exec("DROP OWNED BY reader; DROP ROLE reader") })
	r := o.newRun()
	r.Engine, r.Filestore = EngineDirect, ""
	r.Server.Params["user"] = "reader"
	if _, err := r.do(t.Context()); err != nil {
		t.Fatalf("a role that may read everything: %v", err)
	}
	for _, sql := range []string{
		"ALTER TABLE twin_a ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON twin_a USING (id > 100)",
		"REVOKE SELECT ON twin_b FROM reader",
	} {
		o.exec(sql)
		r := o.newRun()
		r.Engine, r.Filestore = EngineDirect, ""
		r.Server.Params["user"] = "reader"
		if _, err := r.do(t.Context()); err == nil || !strings.Contains(err.Error(), "twin_") {
			t.Errorf("%s: %v", sql, err)
		}
		r.nothingLeft(t)
		o.exec("ALTER TABLE twin_a DISABLE ROW LEVEL SECURITY")
	}
}

// TestFolder_Unwritable has the data files fail.
func TestFolder_Unwritable(t *testing.T) {
	dir := t.TempDir()
	f := &folder{dir: dir, compression: pgcopy.Compression{Method: pgarchive.Gzip, Level: 1}, digest: newDigester(dir)}
	s, err := f.Object(7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Object(7); !errors.Is(err, os.ErrExist) {
		t.Errorf("the same file twice: %v", err)
	}
	s.Abort()
	if err := s.Append(pgcopy.Piece{Data: []byte("x"), Length: 1}); err == nil {
		t.Error("a piece after the end")
	}
	if err := s.Finish(); err == nil {
		t.Error("the end of a file that is closed")
	}
	if len(f.digest.done) != 0 {
		t.Error("it has a digest")
	}
}

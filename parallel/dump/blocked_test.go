package dump

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestRun_LockedFirst has somebody hold what is read before anything else. A dump
// waits no longer than it may for any lock, and Check finds out who it is.
func TestRun_LockedFirst(t *testing.T) {
	o := newOffice(t)
	for _, table := range []string{"ir_attachment", "ir_module_module"} {
		o.exec("BEGIN; LOCK " + table)
		r := o.newRun()
		r.LockWait = 100 * time.Millisecond
		if _, err := r.do(t.Context()); err == nil || !strings.Contains(err.Error(), "stayed locked by somebody for 100ms") {
			t.Errorf("%s: %v", table, err)
		}
		r.nothingLeft(t)
		findings, err := Check(t.Context(), r.Options)
		if err != nil {
			t.Error(err)
		}
		var all strings.Builder
		for _, f := range findings {
			all.WriteString(f.Text + "\n")
		}
		for _, want := range []string{"stayed locked by somebody", "holds an exclusive lock"} {
			if !strings.Contains(all.String(), want) {
				t.Errorf("%s: found %s", table, all.String())
			}
		}
		o.exec("ROLLBACK")
	}
}

// TestPollCopies_Blocked has the question about a table that is being copied wait
// behind somebody who waits for the dump's end. It is given up.
func TestPollCopies_Blocked(t *testing.T) {
	o := newOffice(t)
	o.exec("INSERT INTO twin_a SELECT g, g FROM generate_series(1000, 300000) g")
	r := o.newRun()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	copying, err := r.Server.Open(ctx, r.Database, r.application())
	if err != nil {
		t.Fatal(err)
	}
	defer copying.Close()
	if copying.Version < 140000 {
		t.Skip("the server does not tell of a COPY under way")
	}
	if err := copying.Exec(ctx, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	rows := &gate{passed: make(chan struct{}), begun: make(chan struct{})}
	var work sync.WaitGroup
	defer work.Wait()
	defer close(rows.passed)
	work.Go(func() {
		err := copying.Do(func(c *pgx.Conn) error {
			_, err := c.PgConn().CopyTo(ctx, rows, "COPY twin_a TO STDOUT")
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-rows.begun
	waiter := connect(t, o.name)
	work.Go(func() {
		if _, err := waiter.Exec(ctx, "SET lock_timeout = '30s'; LOCK twin_a"); err == nil {
			t.Error("the waiter had its lock")
		}
	})
	stop := r.pollCopies(ctx)
	for waiting := 0; waiting < 2; time.Sleep(10 * time.Millisecond) {
		if err := o.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopped after %s, when the waiter had gone", took)
	}
	o.exec("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK twin_a' AND pid <> pg_backend_pid()")
}

// gate lets nothing be written until it is closed.
type gate struct {
	once          sync.Once
	begun, passed chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	g.once.Do(func() { close(g.begun) })
	<-g.passed
	return len(p), nil
}

// TestRun_StuckAndCancelled ends a dump of which a write does not come back: its
// sessions, and with them the locks, end at once.
func TestRun_StuckAndCancelled(t *testing.T) {
	o := newOffice(t)
	r := o.newRun()
	ctx, cancel := context.WithCancelCause(t.Context())
	stuck, free := make(chan struct{}), make(chan struct{})
	r.Pack = func(ctx context.Context, _ Packing) error {
		close(stuck)
		<-free
		return context.Cause(ctx)
	}
	done := make(chan error)
	go func() {
		_, err := r.do(ctx)
		done <- err
	}()
	<-stuck
	cancelled := errors.New("cancelled")
	cancel(cancelled)
	for sessions := 1; sessions > 0; time.Sleep(10 * time.Millisecond) {
		if err := o.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'odx dump%' AND datname = current_database()").Scan(&sessions); err != nil {
			t.Fatal(err)
		}
	}
	close(free)
	if err := <-done; !errors.Is(err, cancelled) {
		t.Errorf("ended with %v", err)
	}
	r.nothingLeft(t)
}

package pgload

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/parallel/server"
)

// filling makes a statement a long one.
var filling = strings.Repeat("z", 2*pieceSize)

// TestStatements_LongRefused has the server refuse a long statement.
func TestStatements_LongRefused(t *testing.T) {
	err := feed(t, 2, 4, false, func(f *Feeder) error {
		_, err := io.WriteString(f.Table(Target{Name: "stated", Offset: 77}), "INSERT INTO nowhere VALUES ('"+filling+"');\n")
		return err
	})
	var refused *Error
	if !errors.As(err, &refused) || refused.Offset != 77 || server.SQLState(err) != "42P01" {
		t.Errorf("%.300v", err)
	}
}

// TestStatements_LongInterrupted ends the context while the server is at work on
// a long statement: the server stops too.
func TestStatements_LongInterrupted(t *testing.T) {
	const atWork = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'"
	s := session(t, "")
	await := func(want int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			var n int
			if err := s.Scan(context.WithoutCancel(t.Context()), atWork, &n); err != nil {
				t.Fatal(err)
			}
			if n == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d statements are at work, not %d", n, want)
			}
		}
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	g, ctx := errgroup.WithContext(ctx)
	l := New(Options{Open: open})
	g.Go(func() error { return l.Work(ctx) })
	g.Go(func() error {
		_, err := io.WriteString(l.NewFeeder(ctx, 2).Table(Target{Name: "slow"}), "SELECT pg_sleep(600), '"+filling+"';\n")
		return err
	})
	await(1)
	cancel(enough)
	if err := g.Wait(); err != enough {
		t.Errorf("error %v", err)
	}
	await(0)
}

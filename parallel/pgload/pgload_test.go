package pgload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/parallel/pgcluster"
	"odx/parallel/server"
)

var cluster *pgcluster.Cluster

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) (code int) {
	var err error
	if cluster, err = pgcluster.Start(context.Background(), pgcluster.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

func open(ctx context.Context) (*server.Session, error) {
	s := server.Settings{Params: server.Params{"host": cluster.Host(), "port": fmt.Sprint(cluster.Port()), "user": cluster.User()}}
	return s.Open(ctx, "postgres", "odx test")
}

// session opens a session and runs statements.
func session(t *testing.T, sql string) *server.Session {
	t.Helper()
	s, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	return s
}

// feed loads what a function feeds.
func feed(t *testing.T, jobs, buffers int, ordered bool, f func(*Feeder) error) error {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	l := New(Options{Ordered: ordered, Open: open})
	for range jobs {
		g.Go(func() error { return l.Work(ctx) })
	}
	g.Go(func() error {
		defer l.Close()
		return f(l.NewFeeder(ctx, buffers))
	})
	return g.Wait()
}

// write writes a text in parts of some size.
func write(w io.WriteCloser, text []byte, size int) error {
	for len(text) > 0 {
		n := min(size, len(text))
		if _, err := w.Write(text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return w.Close()
}

// copyText makes the text of rows with a number and filling of some length.
func copyText(rows, length int) []byte {
	var b bytes.Buffer
	fill := strings.Repeat("x", length)
	for i := range rows {
		fmt.Fprintf(&b, "%d\t%s\n", i, fill)
	}
	b.WriteString(copyEnd)
	return b.Bytes()
}

const target = "COPY pieces FROM stdin;\n"

// TestTable loads rows that are shorter and longer than a piece, in parts that
// end anywhere, with several numbers of workers and buffers.
func TestTable(t *testing.T) {
	s := session(t, "CREATE TABLE IF NOT EXISTS pieces (id int, fill text)")
	for _, tc := range []struct{ rows, length, part int }{
		{0, 0, 1 << 20}, {1, 1, 1}, {3, 10, 5}, {200_000, 40, 256 << 10}, {200_000, 40, 9_999_999},
		{3, pieceSize, 100_000}, {2, 3*pieceSize + 1, 1 << 20}, {5, pieceSize - 10, 4 << 20}, {9, pieceSize / 2, 77_777},
	} {
		text := copyText(tc.rows, tc.length)
		for _, workers := range []struct{ jobs, buffers int }{{1, 2}, {3, 9}} {
			for _, ordered := range []bool{false, true} {
				if err := s.Exec(t.Context(), "TRUNCATE pieces"); err != nil {
					t.Fatal(err)
				}
				err := feed(t, workers.jobs, workers.buffers, ordered, func(f *Feeder) error {
					return write(f.Table(Target{Name: "pieces", Copy: target, Empty: "TRUNCATE pieces"}), text, tc.part)
				})
				if err != nil {
					t.Fatalf("%+v, %+v: %v", tc, workers, err)
				}
				var rows, distinct, length int
				var inOrder bool
				err = s.Scan(t.Context(), `SELECT count(*), count(DISTINCT id), COALESCE(min(length(fill)), 0),
					COALESCE(bool_and(id = n - 1), true) FROM (SELECT *, row_number() OVER (ORDER BY ctid) AS n FROM pieces) p`,
					&rows, &distinct, &length, &inOrder)
				if err != nil {
					t.Fatal(err)
				}
				if rows != tc.rows || distinct != tc.rows || tc.rows > 0 && length != tc.length || ordered && !inOrder {
					t.Errorf("%+v, %+v, ordered %t: %d rows, %d distinct, %d long, in order: %t", tc, workers, ordered, rows, distinct, length, inOrder)
				}
			}
		}
	}
}

// TestTable_NoEnd has text without its end mark.
func TestTable_NoEnd(t *testing.T) {
	session(t, "CREATE TABLE IF NOT EXISTS pieces (id int, fill text)")
	for _, text := range []string{"", "1\ta\n", "1\ta\n\\.\n", "1\ta\n\\.\n\n", "1\ta" + copyEnd, "\n\n"} {
		err := feed(t, 2, 2, false, func(f *Feeder) error {
			return write(f.Table(Target{Name: "pieces", Copy: target}), []byte(text), 3)
		})
		if !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestErrors has the server refuse a row in the middle, the feeder fail, and the
// workers find no server: all end, with the first error.
func TestErrors(t *testing.T) {
	session(t, "CREATE TABLE IF NOT EXISTS pieces (id int, fill text)")
	bad := bytes.Replace(copyText(400_000, 50), []byte("\n200000\t"), []byte("\nnumber\t"), 1)
	for _, ordered := range []bool{false, true} {
		err := feed(t, 2, 6, ordered, func(f *Feeder) error {
			return write(f.Table(Target{Name: "pieces", Copy: target, Empty: "TRUNCATE pieces", Offset: 1000}), bad, 1<<20)
		})
		var refused *Error
		if !errors.As(err, &refused) || server.SQLState(err) != "22P02" || !strings.Contains(err.Error(), "number") {
			t.Errorf("ordered %t: %v", ordered, err)
		}
	}
	full := errors.New("cannot be read")
	err := feed(t, 2, 6, true, func(f *Feeder) error {
		w := f.Table(Target{Name: "pieces", Copy: target, Empty: "TRUNCATE pieces"})
		if _, err := w.Write(copyText(400_000, 50)); err != nil {
			return err
		}
		return full
	})
	if err != full {
		t.Errorf("feeder's error: %v", err)
	}
}

// TestStatements runs statements that are shorter and longer than a piece.
func TestStatements(t *testing.T) {
	s := session(t, "CREATE TABLE IF NOT EXISTS stated (id int, fill text)")
	for _, ordered := range []bool{false, true} {
		if err := s.Exec(t.Context(), "TRUNCATE stated"); err != nil {
			t.Fatal(err)
		}
		err := feed(t, 2, 4, ordered, func(f *Feeder) error {
			w := f.Table(Target{Name: "stated", Empty: "TRUNCATE stated"})
			for i, length := range []int{1, pieceSize * 2, 10, statementsSize, 5, pieceSize + 1} {
				if _, err := fmt.Fprintf(w, "INSERT INTO stated VALUES (%d, '%s');\n", i, strings.Repeat("y", length)); err != nil {
					return err
				}
			}
			if _, err := io.WriteString(w, "\n\n"); err != nil {
				return err
			}
			return w.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
		var rows, length int
		if err := s.Scan(t.Context(), "SELECT count(*), sum(length(fill)) FROM stated", &rows, &length); err != nil {
			t.Fatal(err)
		}
		if rows != 6 || length != 17+3*pieceSize+statementsSize {
			t.Errorf("ordered %t: %d rows, %d bytes", ordered, rows, length)
		}
	}
}

// TestLargeObject writes large objects of all sizes, one that is there already
// among them.
func TestLargeObject(t *testing.T) {
	s := session(t, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata; SELECT lo_create(7003)")
	sizes := map[uint32]int{7001: 0, 7002: 1, 7003: 5000, 7004: pieceSize, 7005: 2*pieceSize + 77}
	err := feed(t, 3, 6, false, func(f *Feeder) error {
		for oid, size := range sizes {
			if err := write(f.LargeObject(oid, ""), bytes.Repeat([]byte{byte(oid)}, size), 123_456); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for oid, size := range sizes {
		var content []byte
		if err := s.Scan(t.Context(), fmt.Sprintf("SELECT lo_get(%d)", oid), &content); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(content, bytes.Repeat([]byte{byte(oid)}, size)) {
			t.Errorf("large object %d: %d bytes, want %d", oid, len(content), size)
		}
	}
}

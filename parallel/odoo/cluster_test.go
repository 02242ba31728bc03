package odoo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/pgcluster"
)

// cluster is the server of all tests of the package.
var cluster *pgcluster.Cluster

func TestMain(m *testing.M) {
	var err error
	cluster, err = pgcluster.Start(context.Background(), pgcluster.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var databases atomic.Int32

// newDatabase makes an empty database that goes with the test, and returns its
// name.
func newDatabase(t *testing.T, template string) string {
	t.Helper()
	admin := connect(t, "postgres", "")
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), databases.Add(1))
	execute(t, admin, "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() {
		execute(t, connect(t, "postgres", ""), "DROP DATABASE "+name+" WITH (FORCE)")
	})
	return name
}

// connect opens a session as the cluster's superuser, or as role.
func connect(t *testing.T, database, role string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(cluster.DSN(database))
	if err != nil {
		t.Fatal(err)
	}
	if role != "" {
		config.User = role
	}
	c, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

// open is a session in a new database in which the SQL was run.
func open(t *testing.T, sql ...string) *pgx.Conn {
	t.Helper()
	c := connect(t, newDatabase(t, "template0"), "")
	for _, s := range sql {
		execute(t, c, s)
	}
	return c
}

// execute runs a string of statements.
func execute(t *testing.T, c *pgx.Conn, sql string) {
	t.Helper()
	if _, err := c.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
		t.Fatalf("%v\nin: %.2000s", err, sql)
	}
}

// rowsOf gives the rows of a query, the columns of each joined with "|".
func rowsOf(t *testing.T, q Querier, sql string) []string {
	t.Helper()
	rows, err := q.Query(t.Context(), "SELECT concat_ws('|', VARIADIC ARRAY(SELECT coalesce(value, '(null)') FROM jsonb_each_text(to_jsonb(q)))) FROM ("+sql+") AS q")
	if err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
	return list
}

// content is the text of every row of every table in public, sorted.
func content(t *testing.T, q Querier) string {
	t.Helper()
	rows, err := q.Query(t.Context(), `SELECT quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, table := range tables {
		var text string
		err := q.QueryRow(t.Context(), `SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM public.`+table+` AS t`).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "== %s\n%s\n", table, text)
	}
	return b.String()
}

// session is a *pgx.Conn or a pgx.Tx.
type session interface {
	Querier
	Beginner
}

// inTx runs f in a transaction that is committed when f succeeds.
func inTx(t *testing.T, c Beginner, f func(tx pgx.Tx) error) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), c, f)
}

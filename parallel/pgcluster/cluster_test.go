package pgcluster_test

import (
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/pgcluster"
)

func TestStart(t *testing.T) {
	begin := time.Now()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s in %s", c.Host(), time.Since(begin))
	conn, err := pgx.Connect(t.Context(), c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	var v string
	if err := conn.QueryRow(t.Context(), "select version()").Scan(&v); err != nil {
		t.Fatal(err)
	}
	t.Log(v)
	begin = time.Now()
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Log("stop", time.Since(begin))
	if _, err := os.Stat(c.Host()); !os.IsNotExist(err) {
		t.Error(err)
	}
}

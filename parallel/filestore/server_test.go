package filestore

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"odx/parallel/pgcluster"
)

// TestParseRow_Server has a server write every character that it escapes, and
// some more, and reads that.
func TestParseRow_Server(t *testing.T) {
	c, err := pgcluster.Start(context.Background(), pgcluster.Options{})
	must(t, err)
	defer func() { must(t, c.Stop()) }()
	const sql = `COPY (SELECT s, i FROM (
			SELECT 'x' || chr(i) || 'y', i FROM generate_series(1, 700) i
			UNION ALL SELECT chr(i) || '1x', i FROM generate_series(1, 255) i
			UNION ALL VALUES ('\N', 1000), ('\.', 1001), ('\x41', 1002), ('\101', 1003), ('', 1004), (NULL, NULL)
		) v(s, i) ORDER BY i NULLS LAST, s COLLATE "C") TO STDOUT`
	cmd := exec.Command(filepath.Join(c.BinDir(), "psql"), "-X", "-q", "-d", c.DSN("postgres"), "-c", sql)
	out, err := cmd.Output()
	must(t, err)
	a := readAttachments(strings.NewReader(string(out)))
	rows := 0
	for at, err := a.read(); err == nil; at, err = a.read() {
		rows++
		i := rune(at.size)
		special := map[rune]string{1000: `\N`, 1001: `\.`, 1002: `\x41`, 1003: `\101`, 1004: "", -1: ""}
		if want, ok := special[i]; ok {
			if at.fname != want {
				t.Errorf("%d: %q, want %q", i, at.fname, want)
			}
		} else if at.fname != fmt.Sprintf("x%cy", i) && at.fname != fmt.Sprintf("%c1x", i) {
			t.Errorf("%d: %q", i, at.fname)
		}
	}
	// The last two have an empty name both.
	if a.rows != 700+255+6 || rows != 700+255+5 {
		t.Errorf("%d rows, %d names", a.rows, rows)
	}
}

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// check is everything that must hold after a run of odx, whatever befell it.
func (tr *trial) check(t *testing.T, r result) {
	t.Helper()
	tr.checkEnd(t, r)
	tr.nothingRuns(t)
	tr.checkProduct(t, r)
	left := tr.checkLeft(t, r)
	tr.checkAgain(t, left)
}

// checkEnd judges how odx ended, by its exit code and what it said.
func (tr *trial) checkEnd(t *testing.T, r result) {
	t.Helper()
	codes := []int{exitOK, exitFailed, exitLosses, exitFormat, exitTool}
	switch {
	case tr.fault.spares:
		codes = []int{exitOK}
	case tr.fault.kills:
		codes = []int{-1, exitOK, exitInterrupted}
	case tr.fault.group == "signal":
		codes = []int{exitOK, exitInterrupted}
		if tr.struck == phaseStart { // odx may not have asked for signals yet
			codes = append(codes, -1)
		}
		if tr.fault.name == "child killed" {
			codes = []int{exitOK, exitTool, exitFailed}
		}
	case tr.fault.name == "two at once":
		codes = []int{exitOK, exitFailed}
		if tr.second == nil || r.code != exitOK && tr.second.code != exitOK {
			t.Errorf("neither of two succeeded; the other's exit code %d: %s", tr.second.code, tr.second.stderr)
		}
	}
	for _, r := range []*result{&r, tr.second} {
		if r == nil {
			continue
		}
		if !slices.Contains(codes, r.code) {
			t.Errorf("exit code %d, want one of %v: %s", r.code, codes, r.stderr)
		}
		if strings.Contains(r.stderr, "goroutine ") || strings.Contains(r.stderr, "panic:") {
			t.Errorf("odx crashed: %s", r.stderr)
		}
		if r.code > 0 && r.code != exitLosses && !strings.Contains(r.stderr, "odx: error: ") {
			t.Errorf("odx failed without an error: %s", r.stderr)
		}
	}
}

// nothingRuns waits until no process and no session of odx is left.
func (tr *trial) nothingRuns(t *testing.T) {
	t.Helper()
	c := tr.connect(t, "postgres")
	defer c.Close(t.Context())
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		rows, err := c.Query(t.Context(), `SELECT 'session ' || application_name || ': ' || left(query, 80) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
			UNION ALL SELECT 'lock ' || mode || ' of ' || COALESCE(pid, 0) FROM pg_locks WHERE pid IS DISTINCT FROM pg_backend_pid()
			UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts
			UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots`)
		if err != nil {
			t.Fatal(err)
		}
		left, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		pids := tr.marked(t)
		if len(left)+len(pids) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left running: processes %v, %q", pids, left)
			return
		}
	}
}

// checkProduct judges what bears the final name, with the exit code and with
// what odx verify says of it.
func (tr *trial) checkProduct(t *testing.T, r result) {
	t.Helper()
	there := tr.isThere(t)
	succeeded := r.code == exitOK || r.code == exitLosses || tr.second != nil && tr.second.code == exitOK
	tr.outcome.Code = r.code
	if there != succeeded && !(there && (tr.fault.kills || tr.isUnsure(r))) {
		t.Errorf("exit code %d, and something is under the final name: %v", r.code, there)
	}
	if !there {
		tr.outcome.Result = "nothing"
		tr.oldIsThere(t, r)
		return
	}
	tr.outcome.Result = "whole"
	flaw := tr.judge(t)
	tr.agree(t, tr.target(), flaw)
	var files *filesFlaw
	switch {
	case flaw == nil:
		// For a zip the files are looked for after they were packed: one that
		// went after that counts as missing although the zip has it.
		if r.code == exitLosses && !(tr.op.name == "dump zip" && tr.touched != "") {
			t.Errorf("odx says that files are missing, and none is")
		}
	case errors.As(flaw, &files) && tr.touched != "" && (r.code == exitLosses || tr.fault.alters || tr.mayVanish()):
		tr.outcome.Result = "losses"
		if r.code == exitOK {
			tr.outcome.Result = "altered"
		}
		if bad := files.others(tr.touched); len(bad) > 0 {
			t.Errorf("of the filestore more than %s is not whole: %v", tr.touched, bad)
		}
	default:
		t.Errorf("what is under the final name is not whole: %v", flaw)
	}
}

// isUnsure tells whether the server went away in the middle of the commit, and
// odx said that it does not know what came of it.
func (tr *trial) isUnsure(r result) bool {
	return tr.fault.server && strings.Contains(r.stderr, "did not say whether")
}

// isUnnamed tells whether the file that the fault is about is one that Odoo's
// garbage collection makes and removes, and no row of the database names.
func (tr *trial) isUnnamed() bool { return strings.Contains(tr.touched, "checklist/") }

// mayVanish tells whether that file may be gone without a word.
func (tr *trial) mayVanish() bool { return tr.isUnnamed() && tr.fault.name == "file vanished" }

// agree has odx verify judge a folder or zip, which must not call whole what is
// not.
func (tr *trial) agree(t *testing.T, path string, flaw error) {
	t.Helper()
	if tr.op.makes == aDatabase {
		return
	}
	v := tr.odx(t, "verify", path)
	if files := (*filesFlaw)(nil); errors.As(flaw, &files) && tr.isUnnamed() && len(files.others(tr.touched)) == 0 {
		return // nothing in the backup tells of such a file
	}
	if (v.code == exitOK) != (flaw == nil) {
		t.Errorf("odx verify ends with %d, and what is wrong is: %v\n%s", v.code, flaw, v.stderr)
	}
}

// leftovers are names of what was not finished, and kept is the old filestore of
// a run that was killed between putting the new one in place and its commit.
type leftovers struct{ files, databases, kept []string }

// checkLeft lists what is there beside the product. Only an odx that was killed
// may leave anything, and one whose server was gone may leave a database that
// it names; all of it must bear names of temporary things.
func (tr *trial) checkLeft(t *testing.T, r result) (left leftovers) {
	t.Helper()
	for _, dir := range []string{tr.dir, tr.store(), tr.tmp} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			switch {
			case path == tr.target() || path == filepath.Join(tr.store(), tortureTarget) || tr.op.makes == aDatabase && path == tr.store():
			case tr.op.force && strings.HasPrefix(e.Name(), tortureTarget+"-old-") && (tr.fault.kills || tr.isUnsure(r)):
				left.kept = append(left.kept, path)
			case !strings.HasPrefix(e.Name(), "odx-tmp-"):
				t.Errorf("%s was left", path)
			case !tr.fault.kills:
				t.Errorf("%s was left by an odx that was not killed", path)
			default:
				left.files = append(left.files, path)
				if dir == tr.dir {
					tr.agreeOnLeft(t, path)
				}
			}
		}
	}
	for _, name := range tr.databases(t) {
		switch {
		case tr.truth.databases[name] || name == tortureTarget:
		case !strings.HasPrefix(name, "odx-tmp-"):
			t.Errorf("database %s was left", name)
		case !tr.fault.kills && !(tr.fault.server && strings.Contains(r.stderr, name) && strings.Contains(r.stderr, "odx clean")):
			t.Errorf("database %s was left by an odx that was not killed, or did not name it", name)
		default:
			left.databases = append(left.databases, name)
		}
	}
	if len(left.files)+len(left.databases) > 0 {
		tr.outcome.Left = true
	}
	return left
}

// agreeOnLeft makes sure that odx verify does not take something half-made for
// a backup.
func (tr *trial) agreeOnLeft(t *testing.T, path string) {
	t.Helper()
	if v := tr.odx(t, "verify", path); v.code != exitOK {
		return
	}
	if flaw := tr.judgeAt(t, path); flaw != nil {
		t.Errorf("odx verify calls %s whole: %v", path, flaw)
	}
}

// checkAgain does the operation once more, without a fault: it names what is
// left over, succeeds, and odx clean removes the rest.
func (tr *trial) checkAgain(t *testing.T, left leftovers) {
	t.Helper()
	tr.clear(t)
	for _, path := range left.kept {
		remove(t, path)
	}
	r := tr.begin(t, nil, tr.args()...).wait(t)
	if r.code != exitOK {
		t.Errorf("the second run: exit code %d: %s", r.code, r.stderr)
		return
	}
	for _, name := range append(left.files, left.databases...) {
		if !strings.Contains(r.stderr, name) {
			t.Errorf("the second run does not name %s: %s", name, r.stderr)
		}
	}
	tr.wantWhole(t)
	if len(left.files)+len(left.databases) > 0 {
		if r := tr.clean(t); r.code != exitOK {
			t.Errorf("odx clean: exit code %d: %s", r.code, r.stderr)
		}
	}
	kills, server := tr.fault.kills, tr.fault.server
	tr.fault = &tortureFault{name: tr.fault.name}
	if tr.checkLeft(t, r); t.Failed() && (kills || server) {
		t.Log("(after odx clean)")
	}
}

// wantWhole fails the test unless the product is there and whole.
func (tr *trial) wantWhole(t *testing.T) {
	t.Helper()
	if !tr.isThere(t) {
		t.Errorf("nothing is under the final name")
		return
	}
	flaw := tr.judge(t)
	if flaw != nil {
		t.Errorf("what is under the final name is not whole: %v", flaw)
	}
}

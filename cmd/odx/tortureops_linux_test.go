package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What an operation makes.
type product int

const (
	aFolder product = iota
	aZip
	aDatabase
)

// operation is a command of odx. What it reads is below the campaign's folder:
// source, and in that the file, if what it reads is no folder.
type operation struct {
	name         string
	makes        product
	source, file string
	usesServer   bool
	force        bool // what it makes is there already
	options      []string
}

// The first two make the backups that the others read.
var operations = []operation{
	{name: "dump folder", makes: aFolder, source: "data/filestore/src", usesServer: true},
	{name: "dump zip", makes: aZip, source: "data/filestore/src", usesServer: true},
	{name: "dump pg_dump", makes: aFolder, source: "data/filestore/src", usesServer: true, options: []string{"--engine", "pg_dump"}},
	{name: "restore folder", makes: aDatabase, source: "good/folder", usesServer: true},
	{name: "restore zip", makes: aDatabase, source: "good/zip", file: "backup.zip", usesServer: true},
	{name: "restore --force", makes: aDatabase, source: "good/folder", usesServer: true, force: true, options: []string{"--force"}},
	{name: "convert to zip", makes: aZip, source: "good/folder"},
	{name: "convert to folder", makes: aFolder, source: "good/zip", file: "backup.zip"},
}

// trial is one operation with one fault.
type trial struct {
	*campaign
	n      int
	rng    *rand.Rand
	op     *operation
	fault  *tortureFault
	moment moment

	src string   // folder that is read
	dir string   // folder that is written to
	env []string // for odx, beside what all have

	heals   []func(t *testing.T) // what ends the fault, last first
	run1    *running
	second  *result // of another odx at once
	touched string  // file of the source that the fault is about, relative to src
	struck  string  // phase in which the fault came
	outcome tortureOutcome
}

// target is the path of a folder or zip to be made.
func (tr *trial) target() string {
	if tr.op.makes == aZip {
		return filepath.Join(tr.dir, tortureTarget+".zip")
	}
	return filepath.Join(tr.dir, tortureTarget)
}

// store is the folder of the filestores of the databases that are made.
func (tr *trial) store() string { return filepath.Join(tr.dir, "filestore") }

// args is odx's command line.
func (tr *trial) args() []string {
	src := filepath.Join(tr.src, tr.op.file)
	verb, _, _ := strings.Cut(tr.op.name, " ")
	switch verb {
	case "dump":
		return append([]string{verb, sourceDB, tr.target(), "--filestore", src}, tr.op.options...)
	case "restore":
		return append([]string{verb, src, tortureTarget, "--data-dir", tr.dir, "--move", "--owner", odooRole}, tr.op.options...)
	}
	return append([]string{verb, src, tr.target()}, tr.op.options...)
}

// prepare makes what has to be there for an operation.
func (tr *trial) prepare(t *testing.T) {
	t.Helper()
	if tr.op.makes != aDatabase {
		return
	}
	if err := os.MkdirAll(tr.store(), 0o755); err != nil {
		t.Fatal(err)
	}
	if !tr.op.force {
		return
	}
	tr.exec(t, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", tortureTarget, tortureOld))
	old := filepath.Join(tr.store(), tortureTarget, oldStore)
	if err := os.MkdirAll(filepath.Dir(old), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// oldStore is the file of the old database's filestore.
const oldStore = "0a/0a00000000000000000000000000000000000000"

// clear removes what the operation has made, so that it can be done again.
func (tr *trial) clear(t *testing.T) {
	t.Helper()
	if tr.op.makes != aDatabase {
		remove(t, tr.target())
		return
	}
	if tr.op.force {
		return
	}
	tr.exec(t, "postgres", "DROP DATABASE IF EXISTS "+tortureTarget+" WITH (FORCE)")
	remove(t, filepath.Join(tr.store(), tortureTarget))
}

// run does the trial and all checks.
func (tr *trial) run(t *testing.T) {
	tr.outcome = tortureOutcome{N: tr.n, Seed: tr.seed, Operation: tr.op.name, Fault: tr.fault.name, Phase: phaseStart, Result: tortureFailed}
	if tr.fault.arm != nil {
		tr.fault.arm(t, tr)
	}
	tr.prepare(t)
	tr.run1 = tr.begin(t, tr.env, tr.args()...)
	if tr.fault.strike != nil {
		tr.run1.reach(tr.moment, tr.spans[tr.op.name])
		tr.struck = tr.run1.phase()
		tr.fault.strike(t, tr)
	}
	r := tr.run1.wait(t)
	if tr.struck == "" {
		tr.struck = tr.run1.lastPhase()
	}
	tr.outcome.Phase = tr.struck
	for i := len(tr.heals) - 1; i >= 0; i-- {
		tr.heals[i](t)
	}
	tr.heals = nil
	tr.check(t, r)
	if t.Failed() {
		t.Logf("fault in phase %q (drawn: %v); exit code %d %s; odx %s; stderr:\n%s",
			tr.struck, tr.moment, r.code, r.stdout, strings.Join(tr.args(), " "), r.stderr)
	}
}

func (tr *trial) heal(f func(t *testing.T)) { tr.heals = append(tr.heals, f) }

// lastPhase is the last one that odx spoke of.
func (r *running) lastPhase() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.spans) - 1; i >= 0; i-- {
		if r.spans[i].phase != phaseEnd {
			return r.spans[i].phase
		}
	}
	return phaseStart
}

// isThere tells whether there is something new under the final name.
func (tr *trial) isThere(t *testing.T) bool {
	t.Helper()
	if tr.op.makes != aDatabase {
		_, err := os.Lstat(tr.target())
		return err == nil
	}
	return slices.Contains(tr.databases(t), tortureTarget) && !(tr.op.force && tr.hasOld(t))
}

// hasOld tells whether the target is the database that was to be replaced.
func (tr *trial) hasOld(t *testing.T) (old bool) {
	t.Helper()
	c := tr.connect(t, tortureTarget)
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), "SELECT to_regclass('the_old') IS NOT NULL").Scan(&old); err != nil {
		t.Fatal(err)
	}
	return old
}

// oldIsThere makes sure that an operation that has made nothing has also taken
// nothing away. An odx that was killed within the few milliseconds in which it
// puts both in place has left the old files beside their place.
func (tr *trial) oldIsThere(t *testing.T, r result) {
	t.Helper()
	if tr.op.makes != aDatabase {
		return
	}
	_, err := os.Lstat(filepath.Join(tr.store(), tortureTarget))
	if !tr.op.force {
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && (tr.fault.kills || tr.isUnsure(r)):
			tr.outcome.Result = "displaced"
		default:
			t.Errorf("there is a filestore without a database: %v", err)
		}
		return
	}
	if !slices.Contains(tr.databases(t), tortureTarget) {
		t.Error("the old database is gone")
	}
	if tr.hasOldFiles(filepath.Join(tr.store(), tortureTarget)) {
		return
	}
	kept, err := filepath.Glob(filepath.Join(tr.store(), tortureTarget+"-old-*"))
	if err != nil || len(kept) != 1 || !tr.hasOldFiles(kept[0]) || !tr.fault.kills && !tr.isUnsure(r) {
		t.Errorf("the files of the old database are not in their place, but in %q: %v", kept, err)
		return
	}
	tr.outcome.Result = "displaced"
}

// hasOldFiles tells whether a folder is the filestore that prepare made.
func (tr *trial) hasOldFiles(dir string) bool {
	files, err := treeDigests(os.DirFS(dir))
	return err == nil && len(files) == 1 && files[oldStore] == sha256.Sum256([]byte("old"))
}

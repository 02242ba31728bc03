package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// begin starts odx and waits until a session of it runs a query that matches.
func (w *world) begin(t *testing.T, query string, args ...string) (end func(os.Signal) result) {
	t.Helper()
	cmd := w.command(t.Context(), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.awaitQuery(t, query)
	return func(sig os.Signal) result {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Error(err)
		}
		r := finish(t, cmd)
		r.stderr = errs.String()
		w.noProcesses(t)
		return r
	}
}

// TestInUse has a second odx come to the target and to the database that the first
// one works on: it is refused, the first is named, and odx clean and odx prune
// touch nothing of it.
func TestInUse(t *testing.T) { onServers(t, testInUse) }

func testInUse(t *testing.T, w *world) {
	slow := makeSlow(t, w)
	dir := t.TempDir()
	target := filepath.Join(dir, "backup")
	end := w.begin(t, `%COPY "public"."slow"%`, "dump", slowDB, target, "--data-dir", w.data, "--rate", "5MB")
	w.odx(t, "dump", sourceDB, target, "--data-dir", w.data).want(t, exitFailed, target, "is being made by", " dump (pid ", "since 20", "odx: hint:")
	w.odx(t, "convert", slow, target, "--compress", "none").want(t, exitFailed, "is being made by")
	w.odx(t, "restore", slow, slowDB, "--force", "--copy", "--data-dir", w.data).want(t, exitFailed, "another odx dumps it")
	before := mustReadDir(t, dir)
	w.odx(t, "clean", dir, "--data-dir", w.data, "--yes").want(t, exitOK, "nothing is left over")
	w.odx(t, "prune", dir, "--keep-last", "1").want(t, exitOK)
	if after := mustReadDir(t, dir); strings.Join(after, " ") != strings.Join(before, " ") || len(after) != 1 {
		t.Errorf("%q, before %q", after, before)
	}
	end(os.Interrupt).want(t, exitInterrupted)

	end = w.begin(t, "COPY public.slow %", "restore", slow, "failed", "--data-dir", w.data)
	w.odx(t, "restore", slow, "failed", "--no-filestore").want(t, exitFailed, `"failed" is being restored by another odx`, "pid ", "since 20")
	w.odx(t, "restore", slow, "other", "--filestore", w.filestore("failed")).want(t, exitFailed, "is being made by", " restore (pid ")
	w.odx(t, "clean", "--data-dir", w.data, "--yes").want(t, exitOK, "nothing is left over")
	w.odx(t, "prune", filepath.Dir(slow), "--keep-last", "1", "--dry-run").want(t, exitOK)
	end(os.Interrupt).want(t, exitInterrupted)
	w.nothingLeft(t, dir)
}

// TestRestore_Resume goes on after an interruption, as asked, and after SIGKILL.
func TestRestore_Resume(t *testing.T) { onServers(t, testRestoreResume) }

func testRestoreResume(t *testing.T, w *world) {
	slow := makeSlow(t, w)
	data := []string{"--data-dir", w.data, "--move", "--analyze=false"}
	restore := append([]string{"restore", slow, "failed"}, data...)
	for name, sig := range map[string]os.Signal{"interrupted": os.Interrupt, "killed": os.Kill} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && sig == os.Kill {
				t.Skip("takes long")
			}
			keep := []string{"--on-failure", "keep"}
			if sig == os.Kill {
				keep = nil
			}
			r := w.begin(t, "COPY public.slow %", append(restore, keep...)...)(sig)
			if sig == os.Interrupt {
				r.want(t, exitInterrupted, "interrupted; what is done is kept", "odx restore --resume", "odx clean --yes")
			}
			found := []leftover{}
			r = w.odx(t, "clean", "--data-dir", w.data, "--json")
			r.want(t, exitOK)
			r.report(t, &found)
			id := ""
			for _, l := range found {
				if l.Kind == "database" && l.Record != nil && l.Record.Source == slow && strings.Contains(l.About, "begun") {
					id = strings.TrimPrefix(l.Name, "odx-tmp-")
				}
			}
			if id == "" || sig == os.Interrupt && len(found) != 2 {
				t.Fatalf("found %+v", found)
			}
			w.odx(t, append([]string{"restore", "--resume", id, slow, "wrong"}, data...)...).want(t, exitFailed, "cannot be resumed", "odx: hint:")
			w.odx(t, append([]string{"restore", "--resume", id, slow, "failed"}, data...)...).want(t, exitOK)
			w.odx(t, "clean", "--data-dir", w.data, "--yes").want(t, exitOK)
			w.exec(t, "failed", "DO $$ BEGIN IF (SELECT count(*) FROM public.slow) <> 40 THEN RAISE 'rows'; END IF; END $$")
			w.exec(t, "postgres", "DROP DATABASE failed WITH (FORCE)")
			remove(t, w.filestore("failed"))
			w.nothingLeft(t)
		})
	}
	zip := makeZip(t, w, slow)
	w.odx(t, "restore", zip, "failed", "--on-failure", "keep", "--data-dir", w.data).want(t, exitFailed, "loaded as it is read", "odx convert")
	w.odx(t, append(restore, "--on-failure", "perhaps")...).want(t, exitUsage, "remove or keep")
	w.nothingLeft(t)
}

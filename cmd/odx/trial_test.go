package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"odx/convert"
)

// scratchDir gives a folder that a server's user may enter.
func scratchDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "trial-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestVerify_Restore restores a backup of a database like Odoo's, from each
// layout, and meets what can be wrong.
func TestVerify_Restore(t *testing.T) {
	w := sharedWorld(t)
	dir, temp := t.TempDir(), scratchDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", sourceDB, at("backup"), "--data-dir", w.data).want(t, exitOK)
	runWithoutServer(t, "convert", at("backup"), at("backup.zip")).want(t, exitOK)
	for _, name := range []string{"backup", "backup.zip"} {
		var r trialReport
		run := runWithoutServer(t, "verify", "--restore", at(name), "--temp-dir", temp, "--json", "--jobs", "2")
		run.want(t, exitOK)
		run.report(t, &r)
		if r.Restored == nil || r.Restored.Tables != r.Files.Tables || r.Restored.Rows != r.Files.Rows || r.Files.Rows == 0 || !r.Restored.IsOdoo || len(r.Restored.NotCompared) > 0 {
			t.Errorf("%s: %+v, %+v", name, r.Files, r.Restored)
		}
	}
	runWithoutServer(t, "verify", "--restore", at("backup"), "--temp-dir", temp, "--pg-bin", dir).want(t, exitFailed, "no postgres", "odx: hint: install it")
	runWithoutServer(t, "verify", "--restore", at("backup"), "b").want(t, exitUsage, "one SOURCE")
	runWithoutServer(t, "verify", "--trusted", at("backup")).want(t, exitUsage, "--restore")
	if err := os.WriteFile(at("backup/dump/toc.dat"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runWithoutServer(t, "verify", "--restore", at("backup"), "--temp-dir", temp).want(t, exitFormat, "what is damaged is not restored")
	wantOnly(t, temp)
}

// TestVerify_RestoreOdd proves backups that are whole and come out in another way than
// they went in: rows in other partitions, a limit of connections, sequences that are
// at their end or count by two.
func TestVerify_RestoreOdd(t *testing.T) {
	w := sharedWorld(t)
	w.exec(t, "postgres", "CREATE DATABASE peculiar TEMPLATE template0 CONNECTION LIMIT 1")
	w.drop(t, "peculiar")
	w.exec(t, "peculiar", `CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
		CREATE TABLE parted (m mood, n int) PARTITION BY HASH (m);
		CREATE TABLE part_0 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 0);
		CREATE TABLE part_1 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 1);
		CREATE TABLE part_2 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 2);
		CREATE TABLE part_3 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 3);
		INSERT INTO parted SELECT m, n FROM unnest(enum_range(NULL::mood)) m, generate_series(1, 10) n;
		CREATE TABLE odd (id bigserial PRIMARY KEY); ALTER SEQUENCE odd_id_seq INCREMENT BY 2;
		INSERT INTO odd VALUES (102); SELECT setval('odd_id_seq', 101);
		CREATE TABLE full_up (id bigserial PRIMARY KEY); SELECT setval('full_up_id_seq', 9223372036854775807)`)
	dir := scratchDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	w.tool(t, "pg_dump", "-Fc", "--load-via-partition-root", "--file="+at("peculiar.dump"), w.DSN("peculiar"))
	w.odx(t, "dump", "peculiar", at("folder"), "--no-filestore").want(t, exitOK)
	for _, name := range []string{"peculiar.dump", "folder"} {
		r := runWithoutServer(t, "verify", "--restore", at(name), "--temp-dir", dir, "--jobs", "4")
		r.want(t, exitOK)
		if strings.Contains(r.stderr, "sequences (") {
			t.Errorf("%s: %s", name, r.stderr)
		}
	}
}

// TestVerify_RestoreEnded ends it while the server runs: an interruption leaves
// nothing, a kill the folder only, which is locked until then and which odx clean
// finds.
func TestVerify_RestoreEnded(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			temp := scratchDir(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := withoutServer(ctx, "verify", "--restore", slowScript(t), "--temp-dir", temp)
			cmd.Env = append(cmd.Env, "TMPDIR="+temp)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			server := serverOf(t, ctx, temp)
			cleanIn(t, temp).want(t, exitOK, "nothing is left over")
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			r := finish(t, cmd)
			for syscall.Kill(server, 0) == nil && ctx.Err() == nil {
				time.Sleep(20 * time.Millisecond)
			}
			if ctx.Err() != nil {
				t.Fatal("the server goes on")
			}
			if sig != syscall.SIGKILL {
				r.want(t, exitInterrupted)
				wantOnly(t, temp)
				return
			}
			runWithoutServer(t, "verify", "--restore", filepath.Join(archives, "pg15", "cellar"), "--temp-dir", temp).want(t, exitOK, "left over from a run that was killed", "odx-tmp-pg-")
			cleanIn(t, temp, "--yes").want(t, exitOK, "removed folder")
			wantOnly(t, temp)
		})
	}
}

// TestVerify_RestoreFails has a dump that is whole and that no server restores:
// what was found out about it without one is said beside the error.
func TestVerify_RestoreFails(t *testing.T) {
	temp := scratchDir(t)
	path := indexScript(t, "SELECT 1/0")
	run := runWithoutServer(t, "verify", "--restore", path, "--temp-dir", temp)
	run.want(t, exitTool, "1 rows in 1 tables", "whole", "odx: error: ", "division by zero")
	run = runWithoutServer(t, "verify", "--restore", path, "--temp-dir", temp, "--json")
	run.want(t, exitTool, "division by zero")
	var files convert.Verification
	o := outcome{Report: &trialReport{Files: &files}}
	if err := json.Unmarshal([]byte(run.stdout), &o); err != nil {
		t.Fatalf("%v: %s", err, run.stdout)
	}
	if o.Status != "failed" || o.ExitCode != exitTool || !strings.Contains(o.Error, "division by zero") || o.Report.(*trialReport).Restored != nil {
		t.Errorf("%+v", o)
	}
	if files.Verdict != convert.Whole || files.Tables != 1 || files.Rows != 1 || files.Layout == "" {
		t.Errorf("of the files: %+v", files)
	}
	wantOnly(t, temp)
}

// slowScript makes a dump whose index takes minutes.
func slowScript(t *testing.T) string {
	t.Helper()
	return indexScript(t, "SELECT pg_catalog.pg_sleep(300)")
}

// indexScript makes a dump with an index, for which a statement is run once.
func indexScript(t *testing.T, statement string) string {
	t.Helper()
	entry := func(name, kind, sql string) string {
		return "--\n-- Name: " + name + "; Type: " + kind + "; Schema: public; Owner: -\n--\n\n" + sql + "\n\n\n"
	}
	text := "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n-- Dumped by pg_dump version 15.18\n\n" +
		"SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n" +
		entry("slow(integer)", "FUNCTION", "CREATE FUNCTION public.slow(integer) RETURNS integer\n    LANGUAGE sql IMMUTABLE\n    AS $$"+statement+"; SELECT 1$$;") +
		entry("a", "TABLE", "CREATE TABLE public.a (\n    id integer\n);") +
		"--\n-- Data for Name: a; Type: TABLE DATA; Schema: public; Owner: -\n--\n\nCOPY public.a (id) FROM stdin;\n1\n\\.\n\n\n" +
		entry("a_slow", "INDEX", "CREATE INDEX a_slow ON public.a USING btree (public.slow(id));") +
		"--\n-- PostgreSQL database dump complete\n--\n\n"
	path := filepath.Join(t.TempDir(), "index.sql")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runWithoutServer(t, "verify", path).want(t, exitOK, "whole")
	return path
}

// serverOf waits for a server below dir that takes connections, and gives its
// number.
func serverOf(t *testing.T, ctx context.Context, dir string) (pid int) {
	t.Helper()
	for ctx.Err() == nil {
		files, _ := filepath.Glob(filepath.Join(dir, "odx-tmp-pg-*", "data", "postmaster.pid"))
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), "ready") {
				continue
			}
			first, _, _ := strings.Cut(string(text), "\n")
			if pid, err = strconv.Atoi(first); err != nil {
				t.Fatal(err)
			}
			return pid
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no server came up")
	return 0
}

// cleanIn runs odx clean with a folder for temporary files that is only this
// test's.
func cleanIn(t *testing.T, temp string, args ...string) result {
	t.Helper()
	cmd := withoutServer(t.Context(), append([]string{"clean", "--no-server"}, args...)...)
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	return finish(t, cmd)
}

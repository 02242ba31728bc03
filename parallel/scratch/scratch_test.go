package scratch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/parallel/doctor"
	"odx/parallel/pgtool"
)

const (
	kitchen = "../../dumpfmt/pgarchive/testdata/pg15/kitchen.dump"
	cellar  = "../../dumpfmt/pgarchive/testdata/pg15/cellar"
)

// temp gives a folder that the server's user may enter, and fails the test if
// anything is in it in the end.
func temp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "scratch-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func options(t *testing.T, source string) Options {
	t.Helper()
	return Options{Source: source, TempDir: temp(t), Finder: pgtool.Finder{Path: os.Getenv("PATH")}, Environ: os.Environ(),
		Jobs: 2, Rows: &Rows{}, Warn: func(text string) { t.Error(text) }}
}

// failed gives what the checks found, by name.
func failed(r *Report) map[string][]string {
	all := map[string][]string{}
	for _, c := range r.Checks {
		if c.Failed > 0 {
			all[c.Name] = c.Found
		}
	}
	return all
}

// TestRun_Differences says of a dump what is not so, and finds all of it. Its
// sequences are behind, and no user is active.
func TestRun_Differences(t *testing.T) {
	o := options(t, filepath.Join(t.TempDir(), "odoo.sql"))
	script := header + entry("ir_module_module", "TABLE", "CREATE TABLE public.ir_module_module (\n    name character varying,\n    state character varying,\n    latest_version character varying\n);") +
		entry("ir_attachment", "TABLE", "CREATE TABLE public.ir_attachment (\n    id integer,\n    store_fname character varying\n);") +
		entry("res_users", "TABLE", "CREATE TABLE public.res_users (\n    id integer NOT NULL,\n    active boolean\n);") +
		entry("res_users_id_seq", "SEQUENCE", "CREATE SEQUENCE public.res_users_id_seq\n    AS integer\n    START WITH 1\n    INCREMENT BY 1\n    NO MINVALUE\n    NO MAXVALUE\n    CACHE 1;") +
		entry("res_users_id_seq", "SEQUENCE OWNED BY", "ALTER SEQUENCE public.res_users_id_seq OWNED BY public.res_users.id;") +
		copyBlock("ir_module_module", "name, state, latest_version", "base\tuninstalled\t17.0.1.3", "web\tinstalled\t17.0.1.0") +
		copyBlock("res_users", "id, active", "1\tf", "7\tf") +
		entry("res_users_id_seq", "SEQUENCE SET", "SELECT pg_catalog.setval('public.res_users_id_seq', 3, true);") + trailer
	if err := os.WriteFile(o.Source, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Objects = 5
	o.Rows.Add("public", "ir_module_module", 1)
	o.Rows.Add("public", "ir_module_module", 1)
	o.Rows.Add("public", "res_users", 3)
	o.Rows.Add("public", "gone", 4)
	o.Rows.Add("public", "ir_attachment", -1)
	o.Rows.Add("public", "gr\xfc\xdfe", 1)
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got := failed(r)
	for name, want := range map[string]string{
		"row counts":    "public.gone: the table is not there, and the dump has 4 rows of it, public.res_users: 2 rows, and the dump has 3",
		"large objects": "0 large objects, and the dump has 5",
		"sequences":     "public.res_users_id_seq goes on with 4, and public.res_users has id up to 7",
		"module base":   "its state is uninstalled",
		"users":         "res_users has no active user",
		"database.uuid": "the parameter is missing or empty",
	} {
		slices.Sort(got[name])
		if text := strings.Join(got[name], ", "); text != want {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
		delete(got, name)
	}
	if len(got) > 0 || len(r.NotCompared) != 2 || !r.IsOdoo || !r.IsDamaged() || r.Tables != 3 || r.Rows != 4 {
		t.Errorf("also %v; %+v", got, r)
	}
}

const (
	header = `--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18
-- Dumped by pg_dump version 15.18

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

`
	trailer = `--
-- PostgreSQL database dump complete
--

`
)

// entry writes a statement as pg_dump does.
func entry(name, kind, sql string) string {
	return "--\n-- Name: " + name + "; Type: " + kind + "; Schema: public; Owner: -\n--\n\n" + sql + "\n\n\n"
}

func copyBlock(table, columns string, rows ...string) string {
	return "--\n-- Data for Name: " + table + "; Type: TABLE DATA; Schema: public; Owner: -\n--\n\nCOPY public." + table + " (" + columns + ") FROM stdin;\n" +
		strings.Join(append(rows, `\.`), "\n") + "\n\n\n"
}

// TestRun_Trusted restores what only a superuser may.
func TestRun_Trusted(t *testing.T) {
	o := options(t, kitchen)
	_, err := Run(t.Context(), o)
	if !errors.As(err, new(*UntrustedError)) {
		t.Errorf("without Trusted: %v", err)
	}
	o.Trusted, o.Objects = true, 4
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.IsDamaged() {
		t.Errorf("%+v", failed(r))
	}
}

// TestRun_Refusals meets what is missing before a server is started.
func TestRun_Refusals(t *testing.T) {
	o := options(t, cellar)
	o.Server = "99.1 (of the future)"
	_, err := Run(t.Context(), o)
	var missing *pgtool.NotFoundError
	if !errors.As(err, &missing) || missing.Need != 99 || missing.Package() != "postgresql-99" {
		t.Errorf("a newer server: %v", err)
	}
	o.Server, o.TextBytes = "", 1<<59
	if _, err = Run(t.Context(), o); !errors.As(err, new(*doctor.BlockedError)) {
		t.Errorf("no room: %v", err)
	}
	o.TextBytes, o.TempDir = 0, filepath.Join(o.TempDir, "none")
	if _, err = Run(t.Context(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

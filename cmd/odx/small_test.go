package main

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// smallDB is a database with the few tables of Odoo that odx itself looks at, for
// tests that dump and restore often.
const smallDB = "small"

const smallTables = `
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar, state varchar, latest_version varchar);
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '17.0.1.3');
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar UNIQUE, value text, create_uid int, create_date timestamp, write_uid int, write_date timestamp);
INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', '6a0e0e0e-0000-11ee-8000-000000000001'), ('database.secret', 'secret');
CREATE TABLE ir_cron (id serial PRIMARY KEY, active boolean);
INSERT INTO ir_cron (active) VALUES (true), (true);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, parent_id int REFERENCES res_partner);
INSERT INTO res_partner (name, parent_id) SELECT 'partner ' || i, nullif(i / 2, 0) FROM generate_series(1, 2000) i;
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar, type varchar, store_fname varchar, file_size integer, checksum varchar, db_datas bytea);`

// smallWorld is the shared world, with the small database beside the other. Tests
// leave it as it is.
func smallWorld(t *testing.T) *world {
	t.Helper()
	w := sharedWorld(t)
	smallIn(t, w)
	return w
}

// smallIn makes the small database, once.
func smallIn(t *testing.T, w *world) {
	t.Helper()
	if w.hasSmall {
		return
	}
	w.exec(t, "postgres", "CREATE DATABASE small OWNER odoo TEMPLATE template0 LC_COLLATE 'C'")
	if err := w.fillSmall(t); err != nil {
		t.Fatal(err)
	}
	w.hasSmall = true
}

func (w *world) fillSmall(t *testing.T) error {
	sql := "SET ROLE odoo;" + smallTables
	for i := range 60 {
		text := fmt.Sprintf("attachment %d", i)
		sum := sha1.Sum([]byte(text))
		name := hex.EncodeToString(sum[:])
		path := filepath.Join(w.filestore(smallDB), name[:2], name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return err
		}
		sql += fmt.Sprintf("INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum) VALUES ('%d', 'binary', '%s/%s', %d, '%s');\n", i, name[:2], name, len(text), name)
	}
	spool := filepath.Join(w.filestore(smallDB), "checklist", "ab")
	if err := errors.Join(os.MkdirAll(spool, 0o700), os.WriteFile(filepath.Join(spool, "ab12"), nil, 0o600)); err != nil {
		return err
	}
	w.exec(t, smallDB, sql)
	return nil
}

func smallBackup(t *testing.T, w *world) string {
	t.Helper()
	backup := filepath.Join(t.TempDir(), "backup")
	w.odx(t, "dump", smallDB, backup, "--data-dir", w.data).want(t, exitOK)
	return backup
}

package odoo

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
)

const moduleTable = `
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, state varchar(16),
  latest_version varchar, author varchar, license varchar(32));
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar, store_fname varchar, file_size integer, db_datas bytea);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL,
  create_uid integer, create_date timestamp, write_uid integer, write_date timestamp);
`

func TestInspect(t *testing.T) {
	c := open(t, moduleTable, `
INSERT INTO ir_module_module (name, state, latest_version) VALUES
  ('web', 'installed', '17.0.1.0'), ('base', 'to upgrade', '17.0.1.3'), ('sale', 'uninstalled', NULL),
  ('old', 'installed', NULL), ('account', 'installed', '17.0.1.2');
INSERT INTO ir_attachment (store_fname, file_size) VALUES
  ('ab/1', 10), ('ab/1', 10), ('cd/2', 5), ('cd/2', NULL), (NULL, 7), ('', 7), ('ef/3', NULL);
INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', 'the-uuid');`)
	got, err := Inspect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	series, err := dumpfmt.ParseSeries("17.0.1.3")
	if err != nil {
		t.Fatal(err)
	}
	want := Info{
		IsOdoo: true, Series: series, HasStoreFname: true, HasFileSize: true, UUID: "the-uuid",
		Modules: []dumpfmt.Module{
			{Name: "web", Version: dumpfmt.NullString{String: "17.0.1.0", Valid: true}},
			{Name: "old"},
			{Name: "account", Version: dumpfmt.NullString{String: "17.0.1.2", Valid: true}},
		},
		Files: &Files{Count: 3, Bytes: 15},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("inspected %+v, want %+v", got, want)
	}
}

func TestInspect_OtherDatabases(t *testing.T) {
	for name, sql := range map[string]string{
		"empty":          ``,
		"no attachments": `CREATE TABLE ir_module_module (name text, state text, latest_version text)`,
		"other columns":  `CREATE TABLE ir_module_module (name text); CREATE TABLE ir_attachment (id int, store_fname text)`,
		"other schema":   `CREATE SCHEMA x; SET search_path = x; ` + moduleTable,
		"a view":         `CREATE VIEW ir_module_module AS SELECT 1 AS name, 1 AS state, 1 AS latest_version; CREATE TABLE ir_attachment (id int)`,
	} {
		got, err := Inspect(t.Context(), open(t, sql))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(got, Info{}) {
			t.Errorf("%s: %+v, want nothing", name, got)
		}
	}
}

func TestInspect_OldAndDamaged(t *testing.T) {
	c := open(t, `CREATE TABLE ir_module_module (name text, state text, latest_version text);
CREATE TABLE ir_attachment (id int); INSERT INTO ir_module_module VALUES ('base', 'installed', 'none')`)
	got, err := Inspect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !got.IsOdoo || got.Series.Known() || got.UUID != "" || got.HasStoreFname || got.HasFileSize || *got.Files != (Files{}) {
		t.Errorf("inspected %+v", got)
	}
	if rows := rowsOf(t, c, AttachmentsQuery(got)); len(rows) > 0 {
		t.Errorf("attachments %q, want none", rows)
	}
}

func TestAttachmentsQuery(t *testing.T) {
	c := open(t, moduleTable, `INSERT INTO ir_attachment (store_fname, file_size) VALUES
  ('b/2', 2147483647), ('B/1', 1), ('a/é', 0), ('a/e', 3), ('a/e', 3), ('a-e', 4), ('b/2', 5), ('b/2', NULL),
  (NULL, 1), ('', 1), ('s3://bucket/x', 6), (E'tab\tnl\n', 7);`)
	info, err := Inspect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	copied := func(info Info) string {
		var b bytes.Buffer
		if _, err := c.PgConn().CopyTo(t.Context(), &b, "COPY ("+AttachmentsQuery(info)+") TO STDOUT"); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := "B/1\t1\na-e\t4\na/e\t3\na/é\t0\nb/2\t5\nb/2\t2147483647\nb/2\t\\N\ns3://bucket/x\t6\ntab\\tnl\\n\t7\n"
	if got := copied(info); got != want {
		t.Errorf("copied %q, want %q", got, want)
	}
	info.HasFileSize = false
	want = "B/1\t\\N\na-e\t\\N\na/e\t\\N\na/é\t\\N\nb/2\t\\N\ns3://bucket/x\t\\N\ntab\\tnl\\n\t\\N\n"
	if got := copied(info); got != want {
		t.Errorf("without sizes copied %q, want %q", got, want)
	}
}

func TestInspect_RealDatabase(t *testing.T) {
	db := realDatabase(t)
	info, err := Inspect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if info.UUID != "df85d7de-e7a9-11f1-84cc-02fc00000001" {
		t.Errorf("database.uuid %q", info.UUID)
	}

	// The order of the rows was another one in the database that Odoo read.
	want := realMember(t, "manifest.json")
	parsed, err := dumpfmt.ParseManifest(want)
	if err != nil {
		t.Fatal(err)
	}
	place := make(map[string]int)
	for i, m := range parsed.Modules {
		place[m.Name] = i
	}
	slices.SortFunc(info.Modules, func(a, b dumpfmt.Module) int { return place[a.Name] - place[b.Name] })
	// The server that made the backup was PostgreSQL 17.12.
	if got := Manifest(info, "o19", 170012).Encode(); !bytes.Equal(got, want) {
		t.Errorf("manifest:\n%s\nwant Odoo's own:\n%s", got, want)
	}

	stored := realFiles(t)
	rows := rowsOf(t, db, AttachmentsQuery(info))
	for _, row := range rows {
		_, name, _ := strings.Cut(row, "|")
		if _, found := slices.BinarySearch(stored, "filestore/"+name); !found {
			t.Errorf("%s is not in the backup", name)
		}
	}
	if info.Files == nil || info.Files.Count != int64(len(rows)) || len(rows) == 0 || len(rows) > len(stored) {
		t.Errorf("%d rows, counted %+v, the backup has %d files", len(rows), info.Files, len(stored))
	}
}

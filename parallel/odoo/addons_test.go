package odoo

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// script writes a module's neutralize.sql.
func script(t *testing.T, dir, module, sql string) string {
	t.Helper()
	path := filepath.Join(dir, module, "data", "neutralize.sql")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(sql), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFromAddons(t *testing.T) {
	root := t.TempDir()
	addons, own, base := filepath.Join(root, "addons"), filepath.Join(root, "own"), filepath.Join(root, "odoo", "addons")
	mail := script(t, addons, "mail", "\n UPDATE a \n\n")
	sale := script(t, own, "sale", "UPDATE own")
	script(t, addons, "sale", "UPDATE other")
	baseSQL := script(t, base, "base", "UPDATE base")
	script(t, root, "secret", "DROP")
	if err := os.MkdirAll(filepath.Join(own, "mail"), 0o755); err != nil { // a copy without a script
		t.Fatal(err)
	}
	found, missing, err := fromAddons([]string{filepath.Join(root, "gone"), own, addons},
		[]string{"base", "mail", "none", "sale", "../secret", "..", "", "own/sale"})
	if err != nil {
		t.Fatal(err)
	}
	want := []moduleSQL{{"base", baseSQL, "UPDATE base"}, {"mail", mail, "UPDATE a"}, {"sale", sale, "UPDATE own"}}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	if want := []string{"none", "../secret", "..", "", "own/sale"}; !slices.Equal(missing, want) {
		t.Errorf("missing %q, want %q", missing, want)
	}
}

func TestFromAddons_Unreadable(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "mail", "data", "neutralize.sql"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := fromAddons([]string{dir}, []string{"mail"}); err == nil || !strings.Contains(err.Error(), `module "mail"`) {
		t.Errorf("error %v", err)
	}
}

func TestNeutralize_Scripts(t *testing.T) {
	c, info := fixture(t, 18)
	dir := t.TempDir()
	script(t, dir, "base", "UPDATE ir_mail_server SET active = false;\n\nUPDATE fetchmail_server SET active = false -- no end, and a comment")
	script(t, dir, "mail", "UPDATE mail_template\n   SET mail_server_id = NULL; /* ; */\nSELECT 1, ';';\nDELETE FROM mail_push;TRUNCATE mail_push_device CASCADE")
	script(t, dir, "queue_job", "   \n")
	script(t, dir, "sale", "DROP TABLE website")
	if err := os.Mkdir(filepath.Join(dir, "own"), 0o755); err != nil { // without a script
		t.Fatal(err)
	}
	report, err := neutralize(t, c, info, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := NeutralizeReport{
		Source: SourceAddons,
		Ran: []NeutralizeStep{
			{What: "neutralize.sql", Module: "base", Rows: 3},
			{What: "files in other storages are not removed", Rows: 1},
			{What: "neutralize.sql", Module: "mail", Rows: 3},
			{What: "neutralize.sql", Module: "queue_job"},
		},
		Modules: []string{"oca", "own", "whatsapp"},
		Warnings: []string{"installed modules that are not in the addons path: oca, whatsapp; " +
			"what their neutralize.sql would switch off, if they have one, is still on"},
	}
	if !reflect.DeepEqual(report, want) {
		t.Errorf("report %+v, want %+v", report, want)
	}
	// Odoo's way only: odx's own statements were not run.
	if rows := rowsOf(t, c, `SELECT * FROM ir_cron WHERE active AND cron_name = 'mail'`); len(rows) != 1 {
		t.Error("odx's own statements were run too")
	}
	if rows := rowsOf(t, c, `SELECT id FROM ir_mail_server WHERE active UNION ALL SELECT id FROM fetchmail_server WHERE active
UNION ALL SELECT id FROM mail_push UNION ALL SELECT id FROM mail_push_device`); len(rows) > 0 {
		t.Errorf("left: %q", rows)
	}
}

func TestNeutralize_ScriptsWithoutBase(t *testing.T) {
	for series, warns := range map[int]bool{15: false, 17: true} {
		c, info := fixture(t, series)
		dir := t.TempDir()
		script(t, dir, "own", "UPDATE res_partner SET name = 'x'; INSERT INTO res_partner (name) VALUES ('own was here')")
		report, err := neutralize(t, c, info, dir)
		if err != nil {
			t.Fatal(err)
		}
		if report.Source != SourceBoth || report.Ran[len(report.Ran)-1].Module != "own" {
			t.Errorf("report %+v", report)
		}
		if rows := rowsOf(t, c, `SELECT name FROM res_partner UNION SELECT cron_name FROM ir_cron WHERE active`); len(rows) != 2 {
			t.Errorf("partners and scheduled actions: %q", rows)
		}
		if (len(report.Warnings) > 0) != warns {
			t.Errorf("Odoo %d: warnings %q", series, report.Warnings)
		}
	}
}

func TestNeutralize_ScriptFails(t *testing.T) {
	for name, tt := range map[string]struct {
		sql, want string
	}{
		"column":   {"UPDATE website SET domain = NULL;\n-- é\nUPDATE website\n   SET nonsense = 1;\nSELECT 1", `module mail, line 4`},
		"runtime":  {"UPDATE website SET domain = 'x';\nSELECT 1 / 0;", "module mail, statement 2"},
		"syntax":   {"UPDATE website SET domain = 'x';\n\nUPDAT", "module mail, line 3"},
		"comment":  {"UPDATE website SET domain = 'x'; /* no end", "module mail, line 1"},
		"commit":   {"UPDATE website SET domain = NULL; COMMIT; BEGIN; COMMIT", "the script ends the transaction"},
		"rollback": {"ROLLBACK", "the script ends the transaction"},
	} {
		t.Run(name, func(t *testing.T) {
			c, info := fixture(t, 18)
			dir := t.TempDir()
			script(t, dir, "base", "UPDATE ir_cron SET active = false")
			path := script(t, dir, "mail", tt.sql)
			_, err := neutralize(t, c, info, dir)
			var failed *ScriptError
			if !errors.As(err, &failed) || failed.Module != "mail" || failed.Path != path {
				t.Fatalf("error %v, want a ScriptError of mail", err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q, want %q and the path", err, tt.want)
			}
			if name == "commit" || name == "rollback" {
				return // what such a script committed is beyond repair
			}
			if rows := rowsOf(t, c, `SELECT id FROM ir_cron WHERE active`); len(rows) != 3 {
				t.Errorf("after the roll-back %d scheduled actions are active, want 3", len(rows))
			}
		})
	}
}

func TestLineAt(t *testing.T) {
	for position, want := range map[int]int{0: 1, 1: 1, 3: 1, 4: 2, 5: 3, 99: 3} {
		if got := lineAt("aé\n\nb", position); got != want {
			t.Errorf("line at %d: %d, want %d", position, got, want)
		}
	}
}

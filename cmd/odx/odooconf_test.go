package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// environment makes a getenv of pairs.
func environment(pairs ...string) func(string) string {
	return func(key string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestParseOdooConf(t *testing.T) {
	home := t.TempDir()
	text := `
; made by hand
[options]
# the connection
db_host = db.example
DB_Port : 5433
db_user=odoo
db_password = p=a:ss # not a comment; with a %(blank)s
db_sslmode = require
db_name = main, Second DB ,
data_dir = ~/data/$STAGE/${STAGE}x/$UNSET
addons_path = /opt/odoo/addons,
    ~/own addons ,

    # a comment within the value
    /opt/enterprise
http_port = 8070
unaccent = True
[queue_job]
db_host = other
`
	got, err := parseOdooConf("odoo.conf", text, environment("STAGE", "test"), home)
	if err != nil {
		t.Fatal(err)
	}
	want := &odooConf{
		Path: "odoo.conf", DBHost: "db.example", DBPort: 5433, DBUser: "odoo",
		DBPassword: "p=a:ss # not a comment; with a %(blank)s", DBSSLMode: "require",
		DBNames:    []string{"main", "Second DB"},
		DataDir:    filepath.Join(home, "data/test/testx/$UNSET"),
		AddonsPath: []string{"/opt/odoo/addons", filepath.Join(home, "own addons"), "/opt/enterprise"},
		HTTPPort:   8070, Unaccent: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("parsed %+v, want %+v", got, want)
	}
}

func TestParseOdooConf_Unset(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              "",
		"another section":    "[other]\ndb_host = x\n",
		"DEFAULT alone":      "[DEFAULT]\ndb_host = x\n",
		"words and nothing":  "[options]\ndb_host = False\ndb_port = None\ndb_user = false\ndb_password =\ndata_dir = None\naddons_path = False\ndb_name = False\nunaccent = False\nhttp_port = False\n",
		"only blanks follow": "[options]\ndb_host =\n\n   \n",
	} {
		got, err := parseOdooConf("f", text, environment(), "/home/u")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want := (&odooConf{Path: "f"}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: parsed %+v, want nothing", name, got)
		}
	}
}

func TestParseOdooConf_OldPortName(t *testing.T) {
	got, err := parseOdooConf("f", "[options]\nxmlrpc_port = 8169\nhttp_port = False\n", environment(), "")
	if err != nil || got.HTTPPort != 8169 {
		t.Errorf("port %d, error %v, want 8169", got.HTTPPort, err)
	}
}

func TestParseOdooConf_Wrong(t *testing.T) {
	for text, want := range map[string]string{
		"\ndb_host = x\n":                            "f:2: no [section] before the first option",
		"[options]\ndb_password secret\n":            `f:2: neither "=" nor ":" after the name of an option`,
		"[options]\n[]\n":                            `f:2: neither "=" nor ":" after the name of an option`,
		"[options]\n= secret\n":                      "f:2: an option without a name",
		"[options]\ndb_host = a\nDB_HOST = secret\n": "f:3: db_host is given twice, first on line 2",
		"[options]\n[a]\n[options]\n":                "f:3: section [options] is there twice",
		"[options]\ndb_port = x1\n":                  "f:2: db_port is not a port number",
		"[options]\n\nhttp_port = 70000\n":           "f:3: http_port is not a port number",
	} {
		_, err := parseOdooConf("f", text, environment(), "")
		if err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

// TestParseINI_AsPython reads odd files with Python's own parser too.
func TestParseINI_AsPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	files := []string{
		"[options]\na = 1\n b = 2\n\tc\n\nd : x = y\n",
		"[options]\n  a = 1\n  b = 2\n    more\n   even = more\n  c = 3\n",
		"[options]\r\na = 1\r\n  2\r\n\r\nb=3\r\n",
		"[options]\na =\n  first,\n\n  # comment\n  ; comment\n  second\n\n\nb = 2\n",
		"[options] trailing\nKey With Blanks = x  \n[x]y]\nz = 1\n",
		"[DEFAULT]\na = 1\nb = 2\n[options]\nb = 3\n[DEFAULT]\nc = 4\n",
		"[DEFAULT]\na = 1\n",
		"[options]\na\u00a0=\u00a0é ü\u2003\nÄ = x\n",
		"[options]\na = # not a comment ; x\n#b = 2\n  ;c = 3\n",
		"[options]\na = 1",
		"a = 1\n", "[options]\nb\n", "[options]\na=1\nA=2\n", "[options]\n[options]\n", "[options]\n:x\n",
		"[options]\n[other]\n  [third]\na = 2\n",
		"[options]\nx = 1\n[other]\n  indented = 2\n",
		"# only\n\n",
	}
	input, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", `
import configparser, io, json, sys
out = []
for text in json.loads(sys.stdin.buffer.read().decode()):
    p = configparser.RawConfigParser()
    try:
        p.read_file(io.StringIO(text, newline=None))
        out.append(dict(p.items('options')))
    except configparser.NoSectionError:
        out.append({})
    except configparser.Error:
        out.append(None)
json.dump(out, sys.stdout)
`)
	cmd.Stdin = bytes.NewReader(input)
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []map[string]string
	if err := json.Unmarshal(output, &want); err != nil {
		t.Fatal(err)
	}
	for i, text := range files {
		options, err := parseINI("f", text)
		var got map[string]string
		if err == nil {
			got = make(map[string]string)
			for key, o := range options {
				got[key] = o.value
			}
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%q: %q (%v), Python has %q", text, got, err, want[i])
		}
	}
}

func writeConf(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("[options]\ndb_host = "+filepath.Base(path)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindOdooConf(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	flag, env := writeConf(t, filepath.Join(dir, "flag.conf")), writeConf(t, filepath.Join(dir, "env.conf"))
	getenv := environment("ODOO_RC", env)

	expect := func(flag string, getenv func(string) string, want string) {
		t.Helper()
		got, err := findOdooConf(flag, getenv, home)
		if err != nil || got != want {
			t.Errorf("found %q, error %v, want %q", got, err, want)
		}
	}
	expect("", environment(), "")
	expect("", getenv, env)
	expect(flag, getenv, flag)

	old := writeConf(t, filepath.Join(home, ".openerp_serverrc"))
	expect("", environment(), old)
	expect("~/.openerp_serverrc", environment(), old)
	recent := writeConf(t, filepath.Join(home, ".odoorc"))
	expect("", environment(), recent)
	expect("", getenv, env)

	conf, err := loadOdooConf("", environment(), home)
	if err != nil || conf.DBHost != ".odoorc" || conf.Path != recent {
		t.Errorf("loaded %+v, error %v", conf, err)
	}
}

func TestFindOdooConf_NamedMustExist(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.conf")
	for _, tt := range []struct {
		flag, env, want string
	}{
		{missing, "", "named by --config: open " + missing},
		{"", missing, "named by ODOO_RC: open " + missing},
		{dir, "", "named by --config: " + dir + " is a folder"},
	} {
		_, err := loadOdooConf(tt.flag, environment("ODOO_RC", tt.env), dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("--config %q, ODOO_RC %q: error %v, want %q", tt.flag, tt.env, err, tt.want)
		}
	}
	conf, err := loadOdooConf("", environment(), filepath.Join(dir, "nobody"))
	if err != nil || !reflect.DeepEqual(conf, &odooConf{}) {
		t.Errorf("without files: %+v, error %v", conf, err)
	}
}

func TestDefaultDataDir(t *testing.T) {
	home := t.TempDir()
	for _, tt := range []struct {
		home, xdg, want string
	}{
		{home, "", filepath.Join(home, ".local/share/Odoo")},
		{home, "/xdg", "/xdg/Odoo"},
		{filepath.Join(home, "nobody"), "/xdg", "/var/lib/odoo"},
		{"", "", "/var/lib/odoo"},
	} {
		if got := defaultDataDir(environment("XDG_DATA_HOME", tt.xdg), tt.home); got != tt.want {
			t.Errorf("home %q, XDG_DATA_HOME %q: %q, want %q", tt.home, tt.xdg, got, tt.want)
		}
	}
}

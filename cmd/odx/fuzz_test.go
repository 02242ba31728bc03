package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt/fuzzing"
)

// FuzzOdooConf: no error about a configuration file shows a password that is in
// it, wherever it is damaged; ports are ports and folders absolute; and what was
// read is read again of a file that is written with it.
func FuzzOdooConf(f *testing.F) {
	f.Add("[options]\nadmin_passwd = admin\ndb_host = db.example\nDB_Port : 5433\ndb_user=odoo\n", "db_sslmode = require\ndb_name = main, Second DB ,\ndata_dir = ~/data/$STAGE/${STAGE}x\n")
	f.Add("[options]\ndb_port = x\n ", "\nhttp_port = 70000\n[queue_job]\nchannels = root:2\n")
	f.Add("[DEFAULT]\na = 1\n\n  b\n# c\n\n[options]\n", "\xef\xbb\xbf[x]y]\r\nz\r= 1")
	f.Add("", "[options]\naddons_path = /opt/odoo/addons,\n    ~/own addons ,\n\n    # a comment within the value\n    /opt/enterprise\n")
	const secret = "Tr0ub4dor&3"
	f.Fuzz(func(t *testing.T, before, after string) {
		defer fuzzing.Bounded(t, len(before)+len(after))()
		text := before + "db_password = " + secret + "\n" + after
		c, err := parseOdooConf("odoo.conf", text, environment("STAGE", "test"), "/home/u")
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the error shows the password: %v", err)
			}
			return
		}
		if c.DBPort < 0 || c.DBPort > 65535 || c.HTTPPort < 0 || c.HTTPPort > 65535 {
			t.Fatalf("ports %d and %d", c.DBPort, c.HTTPPort)
		}
		for _, dir := range slices.Concat(c.AddonsPath, []string{c.DataDir}) {
			if dir != "" && !filepath.IsAbs(dir) {
				t.Fatalf("%q is not absolute", dir)
			}
		}
		options, err := parseINI("odoo.conf", text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseINI("again.conf", writtenINI(options))
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%q", err, writtenINI(options))
		}
		if one, other := values(options), values(again); !maps.Equal(one, other) {
			t.Fatalf("%q became %q", one, other)
		}
	})
}

// writtenINI is a file with these options.
func writtenINI(options iniOptions) string {
	var b strings.Builder
	b.WriteString("[options]\n")
	for _, key := range slices.Sorted(maps.Keys(options)) {
		b.WriteString(key + " = " + strings.ReplaceAll(options[key].value, "\n", "\n\t") + "\n")
	}
	return b.String()
}

func values(options iniOptions) map[string]string {
	found := map[string]string{}
	for key, o := range options {
		found[key] = o.value
	}
	return found
}

// FuzzMetrics: a file that is taken for one of odx's is written again as it was
// read, but for the order of its lines; another one is refused, not replaced.
func FuzzMetrics(f *testing.F) {
	m := metrics{}
	for _, database := range []string{"prod", "a\\b\"c\nd"} {
		m.set(metricRun, `{command="dump",database="`+labelEscaper.Replace(database)+`"}`, "1795696000")
		m.set(metricDuration, `{command="dump",database="`+labelEscaper.Replace(database)+`"}`, "12.345")
	}
	f.Add(m.encode())
	f.Add([]byte("node_load1 0.5\n"))
	f.Add([]byte("# HELP odx_\r\n# TYPE odx_\n" + `odx_last_run_exit_code{command="dump",database="\"}"} 1`))
	f.Fuzz(func(t *testing.T, data []byte) {
		defer fuzzing.Bounded(t, len(data))()
		path := filepath.Join(t.TempDir(), "odx.prom")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readMetrics(path)
		if err != nil {
			return
		}
		text := m.encode()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := readMetrics(path)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, text)
		}
		if second := again.encode(); !bytes.Equal(second, text) {
			t.Fatalf("%q became %q", text, second)
		}
		for line := range bytes.Lines(data) {
			if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > 0 && line[0] != '#' && !hasSeries(text, line) {
				t.Fatalf("%q is lost in %q", line, text)
			}
		}
	})
}

// hasSeries tells whether the text has the series of a line; its value may be
// that of a later line.
func hasSeries(text, line []byte) bool {
	series := line[:bytes.LastIndexByte(line, ' ')+1]
	return bytes.HasPrefix(text, series) || bytes.Contains(text, append([]byte("\n"), series...))
}

// FuzzByteSize: a size that is taken is one that memory and disks can have.
func FuzzByteSize(f *testing.F) {
	for _, text := range []string{"20MB", "1.5 GB", "4096", "1e300", "nan", "-1", "0x1p4kB", "", "kB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer fuzzing.Bounded(t, len(text))()
		if n, err := byteSize("limit", text); err == nil && (n < 0 || n == 0 && text != "" || n > 1e18) {
			t.Fatalf("%q is %d bytes", text, n)
		}
	})
}

package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fencedBlock = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// page gives the blocks of a page of docs/ by their language, in order.
func page(t *testing.T, name string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	for _, m := range fencedBlock.FindAllStringSubmatch(string(text), -1) {
		blocks[m[1]] = append(blocks[m[1]], m[2])
	}
	return blocks
}

// shims stand for programs that are not there, or do more than a test may: what
// runs elsewhere runs here.
var shims = map[string]string{
	"systemctl": `[ $# -eq 2 ] && [ "$2" = odoo ]`,
	"ssh":       `[ $# -gt 1 ] && case $1 in *.example.com) ;; *) exit 2 ;; esac; shift; exec sh -c "$*"`,
	"docker": `case "$*" in
"build -t odx .") exit ;;
"compose run --rm "*) shift 3 ;;
*) exit 2 ;;
esac
if [ "$1" = -T ]; then shift; fi
[ "$1" = odx ] && exec "$@"`,
}

// shell runs command lines of a page in a new folder, with odx and PostgreSQL's
// programs on PATH, and gives what they print. The old and new texts are replaced
// in them, two by two.
func (w *world) shell(t *testing.T, text string, replace ...string) string {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "odx")); err != nil {
		t.Fatal(err)
	}
	for name, script := range shims {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	words := []string{"sh", "-eu", "-c"}
	if strings.Contains(text, "pipefail") {
		words = []string{"bash", "-c"} // which says itself how it ends
	}
	cmd := exec.CommandContext(t.Context(), words[0], append(words[1:], strings.NewReplacer(replace...).Replace(text))...)
	cmd.Env = append(w.command(t.Context()).Env, "PATH="+bin+":"+w.BinDir()+":"+os.Getenv("PATH"))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", text, err, out)
	}
	return string(out)
}

// blocks gives the blocks of a page, and fails if there are others than the test
// knows: how many of which language.
func blocks(t *testing.T, name string, want map[string]int) map[string][]string {
	t.Helper()
	found, count := page(t, name), map[string]int{}
	for language, list := range found {
		count[language] = len(list)
	}
	if !maps.Equal(count, want) {
		t.Fatalf("the page has blocks %v, this test knows %v", count, want)
	}
	return found
}

// TestDocs_Backups runs each command line of the page: the script as it stands
// there, by the line of cron and by that of the service.
func TestDocs_Backups(t *testing.T) { onServers(t, testDocsBackups) }

func testDocsBackups(t *testing.T, w *world) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"backup", "metrics", "bin"} {
		if err := os.Mkdir(at(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	conf := "[options]\ndata_dir = " + w.data + "\n"
	if err := os.WriteFile(at("odoo.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.Args[0], at("bin/odx")); err != nil {
		t.Fatal(err)
	}
	paths := []string{"PATH=/usr/local/bin:", "PATH=" + at("bin") + ":" + w.BinDir() + ":", "/etc/odoo/odoo.conf", at("odoo.conf"), "/backup", at("backup"), " prod ", " " + sourceDB + " ",
		"/var/lib/prometheus/node-exporter", at("metrics"), "/usr/local/bin/odx-backup", at("odx-backup")}
	blocks := blocks(t, "backups.md", map[string]int{"sh": 2, "crontab": 1, "ini": 2, "yaml": 1})
	script := strings.NewReplacer(paths...).Replace(blocks["sh"][0])
	if err := os.WriteFile(at("odx-backup"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}

	fields := strings.SplitN(strings.TrimSpace(blocks["crontab"][0]), " ", 7)
	if len(fields) != 7 || fields[5] != "odoo" || strings.Contains(fields[6], "%") {
		t.Fatalf("not a line for cron: %q", fields)
	}
	w.shell(t, "export PATH=/usr/bin:/bin; "+fields[6], paths...) // that of cron
	wantBackups(t, at("backup"), 1)
	_, start, _ := strings.Cut(blocks["ini"][0], "\nExecStart=")
	if strings.ContainsAny(start, "%$\\\"'") { // systemd reads those in its own way
		t.Fatalf("ExecStart=%s", start)
	}
	w.shell(t, "sleep 1; "+start, paths...) // names have the second
	wantBackups(t, at("backup"), 2)

	metrics, err := os.ReadFile(at("metrics/odx-prod.prom"))
	if err != nil || !strings.Contains(string(metrics), `odx_last_run_exit_code{command="dump",database="`+sourceDB+`"} 0`) {
		t.Errorf("metrics: %s, %v", metrics, err)
	}
	told := w.shell(t, blocks["sh"][1], paths...)
	for _, word := range []string{"would be removed", "kept ", `"status": "ok"`, "(day "} {
		if !strings.Contains(told, word) {
			t.Errorf("odx prune did not print %q:\n%s", word, told)
		}
	}
}

// wantBackups counts what is in a folder, and nothing but backups may be.
func wantBackups(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != want {
		t.Fatalf("%s has %v, %v; want %d backups", dir, entries, err, want)
	}
	for _, e := range entries {
		wantOnly(t, filepath.Join(dir, e.Name()), "dump", "filestore", "manifest.json", "odx.json")
	}
}

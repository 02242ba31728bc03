package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReorder(t *testing.T) {
	app := newApp(&ui{stdout: io.Discard, stderr: io.Discard})
	for _, tc := range []struct {
		name     string
		in, want []string
	}{
		{"flags first", []string{"odx", "dump", "-j", "4", "db", "dir"}, []string{"odx", "dump", "-j", "4", "--", "db", "dir"}},
		{"flags last", []string{"odx", "dump", "db", "dir", "--jobs", "4", "--strict"}, []string{"odx", "dump", "--jobs", "4", "--strict", "--", "db", "dir"}},
		{"flags between", []string{"odx", "dump", "db", "-Z", "zstd", "dir", "--json"}, []string{"odx", "dump", "-Z", "zstd", "--json", "--", "db", "dir"}},
		{"value glued to a short flag", []string{"odx", "dump", "db", "dir", "-j4"}, []string{"odx", "dump", "-j", "4", "--", "db", "dir"}},
		{"value after =", []string{"odx", "restore", "dir", "db", "--jobs=4"}, []string{"odx", "restore", "--jobs=4", "--", "dir", "db"}},
		{"a bool takes no value", []string{"odx", "restore", "--move", "dir", "db"}, []string{"odx", "restore", "--move", "--", "dir", "db"}},
		{"end of flags", []string{"odx", "dump", "--json", "--", "-db", "dir"}, []string{"odx", "dump", "--json", "--", "-db", "dir"}},
		{"a lone dash is an argument", []string{"odx", "dump", "-", "dir"}, []string{"odx", "dump", "--", "-", "dir"}},
		{"unknown commands are left alone", []string{"odx", "x", "y", "--z"}, []string{"odx", "x", "y", "--z"}},
		{"no command", []string{"odx"}, []string{"odx"}},
		{"completion", []string{"odx", "dump", "db", "--j", completionFlag}, []string{"odx", "dump", "db", "--j", completionFlag}},
		{"completion of two dashes", []string{"odx", "dump", "db", "--", completionFlag}, []string{"odx", "dump", "db", completionFlag}},
	} {
		if got := reorder(app, tc.in); !slices.Equal(got, tc.want) {
			t.Errorf("%s: reorder(%q) = %q, want %q", tc.name, tc.in, got, tc.want)
		}
	}
}

// TestCompletion asks bash for what can stand at the cursor. No command is run, not
// even behind two dashes: stdout would have its error as JSON.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "odx")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, words string
		want        []string // some of what is offered
	}{
		{"commands", "odx re", []string{"restore"}},
		{"flags of odx", "odx --", []string{"--version"}},
		{"two dashes", "odx restore backup name --", []string{"--neutralize", "--json"}},
		{"the beginning of a flag", "odx dump prod --json --com", []string{"--compress"}},
		{"behind the end of flags", "odx restore --json -- backup --neu", []string{"--neutralize"}},
		{"a flag's value", "odx dump prod --jobs 4 --js", []string{"--json"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			script := `eval "$(odx completion bash)"; COMP_WORDS=(` + tc.words + `); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _odx_complete; echo ${COMPREPLY[*]}`
			cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
			cmd.Env = append(os.Environ(), runAsMain+"=1", "PATH="+dir+":"+os.Getenv("PATH"), "HOME=/nonexistent", "PGHOST=/nonexistent")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			offered := strings.Fields(string(out))
			cur := tc.words[strings.LastIndex(tc.words, " ")+1:]
			for _, word := range offered {
				if !strings.HasPrefix(word, cur) {
					t.Errorf("%q is offered for %q", word, cur)
				}
			}
			for _, word := range tc.want {
				if !slices.Contains(offered, word) {
					t.Errorf("%q is not among %q", word, offered)
				}
			}
		})
	}
}

// TestHelpAsName has a database, a backup or a folder named help.
func TestHelpAsName(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"dump", "h", "/backup/h"}, {"prune", "help", "--keep-last", "3"}, {"inspect", "help"}} {
		app := newApp(&ui{stdout: io.Discard, stderr: io.Discard})
		err := app.Run(reorder(app, append([]string{"odx"}, args...)))
		if err == nil || strings.Contains(err.Error(), "help topic") {
			t.Errorf("odx %q: %v", args, err)
		}
	}
	var said bytes.Buffer
	if err := newApp(&ui{stdout: &said, stderr: io.Discard}).Run([]string{"odx", "help", "dump"}); err != nil || !strings.Contains(said.String(), "--compress") {
		t.Errorf("odx help dump: %v: %s", err, &said)
	}
}

// TestVersion asks for the version in both ways.
func TestVersion(t *testing.T) {
	var said [2]bytes.Buffer
	for i, arg := range []string{"version", "--version"} {
		if err := newApp(&ui{stdout: &said[i], stderr: io.Discard}).Run([]string{"odx", arg}); err != nil {
			t.Errorf("odx %s: %v", arg, err)
		}
	}
	if got := said[1].String(); !strings.HasPrefix(got, "odx ") || got != said[0].String() {
		t.Errorf("%q and %q", said[0].String(), got)
	}
}

func TestByteSize(t *testing.T) {
	for _, tc := range []struct {
		text string
		want int64 // -1 for an error
	}{
		{"", 0}, {"1", 1}, {"1048576", 1048576}, {"20MB", 20e6}, {"1.5 GB", 1.5e9}, {"64kB", 64e3},
		{"0", -1}, {"-5", -1}, {"MB", -1}, {"5XB", -1}, {"20M", -1}, {"1e30", -1}, {"NaN", -1}, {"5MB s", -1},
	} {
		got, err := byteSize("rate", tc.text)
		if tc.want < 0 {
			if err == nil {
				t.Errorf("byteSize(%q) = %d, want an error", tc.text, got)
			}
		} else if err != nil || got != tc.want {
			t.Errorf("byteSize(%q) = %d, %v; want %d", tc.text, got, err, tc.want)
		}
	}
}

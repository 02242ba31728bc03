package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestApp_Refused makes sure that wrong usage ends before any server is started.
func TestApp_Refused(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ args, want string }{
		{"run", "out"},
		{"run --out " + dir + "/x --size 0", "must be at least 1"},
		{"run --out " + dir + "/x --jobs -1", "must be at least 1"},
		{"run --out " + dir + "/x --profile flat", `no profile "flat"`},
		{"run --out " + dir + "/x --only cpio", `no peer has --only "cpio"`},
		{"run --out " + dir + "/x --only dump,restore", `no peer has --only "dump,restore"`},
		{"run --out " + dir + "/x --odx " + dir + "/none", "none"},
		{"report", "results.json"},
		{"report " + dir, "results.json"},
		{"guard --rounds 0", "must be at least 1"},
		{"guard --odx /bin/true --only nothing", `no check has "nothing"`},
	} {
		err := newApp().RunContext(context.Background(), append([]string{"odxbench"}, strings.Fields(tt.args)...))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.args, err, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
}

func TestFillPage(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	for _, old := range []string{"Words.\n\n" + pageMark + ". -->\n\nOld figures.\n", "Words.\n\n" + pageMark + ". -->\n"} {
		if err := os.WriteFile(page, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := fillPage(page, filepath.Join(dir, "bench"), []string{"a.png", "a.svg"}, []byte("New figures.\n")); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want := "Words.\n\n" + pageMark + ". -->\n\n![a.svg](bench/a.svg)\n\n## Where it was measured\n\nNew figures.\n"
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if err := os.WriteFile(page, []byte("no mark"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fillPage(page, dir, nil, nil); err == nil {
		t.Error("got no error for a page without the mark")
	}
}

package dumpfmt

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt/fuzzing"
)

const digest = "0a4d55a8d778e5022fab701977c5d840bbc486d0"

func TestStorePath(t *testing.T) {
	tests := []struct {
		about, fname, want, want19 string // want "": no file
	}{
		{"as Odoo writes it", "0a/" + digest, "0a/" + digest, "0a/" + digest},
		{"three digits, up to Odoo 6", "0a4/" + digest, "0a4/" + digest, "0a4/" + digest},
		{"without folder", digest, digest, digest},
		{"capitals", "0A/" + strings.ToUpper(digest), "0A/" + strings.ToUpper(digest), "0A/" + strings.ToUpper(digest)},
		{"unicode", "Ünï/cödé 文", "Ünï/cödé 文", "Ünï/cödé 文"},
		{"bytes that are no text", "a/\xff\xfe", "a/\xff\xfe", "a/\xff\xfe"},
		{"newline", "a/b\nc", "a/b\nc", "a/b\nc"},
		{"dots are taken out", "a.b/c.d.", "ab/cd", "ab/cd"},
		{"climbing out", "../../etc/passwd", "etc/passwd", "etc/passwd"},
		{"climbing out inside", "ab/../../../x", "ab/x", "ab/x"},
		{"absolute", "/etc/passwd", "etc/passwd", "etc/passwd"},
		{"slashes at the ends", `\/ab/c/\`, "ab/c", "ab/c"},
		{"backslash inside", `ab\c`, `ab\c`, `ab\c`},
		{"doubled slashes", "ab//c", "ab/c", "ab/c"},
		{"colon", "ab:c/d", "ab:c/d", "abc/d"},
		{"slashes and no scheme", "ab/c://d", "ab/c:/d", "ab/c/d"},
		{"no scheme", "://x", ":/x", "x"},
		{"empty", "", "", ""},
		{"dots only", "..", "", ""},
		{"dots and slashes", "/../.", "", ""},
		{"colon only", ":", ":", ""},
		{"zero byte", "a\x00b", "", ""},
		{"S3", "s3://bucket/" + digest, "", ""},
		{"a storage's code", "my_store.1://" + digest, "", ""},
	}
	for _, tt := range tests {
		if got, ok := StorePath(tt.fname); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: StorePath(%q) = %q, %v, want %q", tt.about, tt.fname, got, ok, tt.want)
		}
		if got, ok := storePath19(tt.fname); got != tt.want19 || ok != (tt.want19 != "") {
			t.Errorf("%s: storePath19(%q) = %q, %v, want %q", tt.about, tt.fname, got, ok, tt.want19)
		}
		var want []string
		for _, path := range []string{tt.want, tt.want19} {
			if path != "" && !slices.Contains(want, path) {
				want = append(want, path)
			}
		}
		if got := StorePaths(tt.fname); !slices.Equal(got, want) {
			t.Errorf("%s: StorePaths(%q) = %q, want %q", tt.about, tt.fname, got, want)
		}
	}
}

func TestIsSHA1Name(t *testing.T) {
	tests := map[string]bool{
		digest: true, "": false, digest[1:]: false, digest + "0": false, strings.ToUpper(digest): false,
		strings.Repeat("g", 40): false, strings.Repeat("/", 40): false, strings.Repeat(":", 40): false,
		strings.Repeat("`", 40): false, strings.Repeat("0", 40): true, strings.Repeat("f", 40): true,
	}
	for name, want := range tests {
		if got := IsSHA1Name(name); got != want {
			t.Errorf("IsSHA1Name(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestIsHashPath(t *testing.T) {
	for path, want := range map[string]bool{
		digest[:2] + "/" + digest: true, digest[:3] + "/" + digest: true, digest[:1] + "/" + digest: false, digest[:4] + "/" + digest: false,
		"zz/" + digest: false, "checklist/" + digest[:2] + "/" + digest: false, digest: false, digest[:2] + "/" + digest + "/x": false,
		digest[:2] + "/x": false, "/" + digest: false, "": false,
	} {
		if got := IsHashPath(path); got != want {
			t.Errorf("IsHashPath(%q) = %v, want %v", path, got, want)
		}
	}
}

// FuzzStorePath holds that no name leads out of the filestore, and that a path
// is in its plain form.
func FuzzStorePath(f *testing.F) {
	for _, seed := range []string{"0a/" + digest, "../../x", `..\..\x`, "s3://b/k", "/a//b/", "a:b", ".", "a/\x00", "C:/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, fname string) {
		defer fuzzing.Bounded(t, len(fname))()
		for _, storePath := range []func(string) (string, bool){StorePath, storePath19} {
			rel, ok := storePath(fname)
			if !ok {
				if rel != "" {
					t.Fatalf("%q: no file, but %q", fname, rel)
				}
				continue
			}
			if !filepath.IsLocal(filepath.FromSlash(rel)) || strings.Contains(rel, ".") || path.Clean(rel) != rel || rel == "." {
				t.Fatalf("%q gives %q", fname, rel)
			}
		}
	})
}

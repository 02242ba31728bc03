package dump

import "testing"

func TestCompressArg(t *testing.T) {
	for _, tt := range []struct {
		spec  string
		major int
		want  string // "" for an error
	}{
		{"gzip:1", 15, "1"},
		{"gzip", 13, "6"},
		{"gzip:level=9", 15, "9"},
		{"none", 15, "0"},
		{"0", 15, "0"},
		{"7", 15, "7"},
		{"gzip:1", 16, "gzip:1"},
		{"none", 17, "none"},
		{"0", 18, "none"},
		{"zstd:3,long", 17, "zstd:3,long"},
		{"lz4", 16, "lz4"},
		{"lz4", 15, ""},
		{"zstd:3", 13, ""},
		{"gzip:0", 15, ""},
		{"gzip:fast", 15, ""},
		{"none:1", 16, ""},
		{"bzip2", 17, ""},
		{"", 17, ""},
	} {
		got, err := compressArg(tt.spec, tt.major)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("compressArg(%q, %d) = %q, %v; want %q", tt.spec, tt.major, got, err, tt.want)
		}
	}
}

package main

import (
	"bytes"
	"io"
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
	} {
		if got := reorder(app, tc.in); !slices.Equal(got, tc.want) {
			t.Errorf("%s: reorder(%q) = %q, want %q", tc.name, tc.in, got, tc.want)
		}
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

//go:build !linux

package dumpfmt

import "os"

func syncDir(_ *os.File, path string) error { return syncTree(path) }

func renameNew(from, to string) error { return renameChecked(from, to) }

// isShared cannot tell here.
var isShared = func(string) bool { return false }

// isMountPoint cannot tell here: moving the folder fails then.
func isMountPoint(string) bool { return false }

// commandOf cannot tell here.
func commandOf(int) string { return "" }

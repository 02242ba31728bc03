//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dumpfmt

import "os"

// lockDir does nothing here: folders cannot be locked.
func lockDir(string, bool) (*os.File, error) { return nil, nil }

// lockFile does nothing here either.
func lockFile(string, bool) (*os.File, error) { return nil, nil }

// isHeld cannot tell.
func isHeld(*os.File, error) bool { return false }

// claim does nothing either.
func claim(string, bool) (*os.File, error) { return nil, nil }

// FolderID cannot tell here.
func FolderID(string) string { return "" }

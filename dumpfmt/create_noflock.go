//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dumpfmt

import "os"

// lockDir does nothing here: folders cannot be locked.
func lockDir(string, bool) (*os.File, error) { return nil, nil }

// lookAtFile does nothing here either.
func lookAtFile(string) (*os.File, error) { return nil, nil }

// lockOpen does nothing here either.
func lockOpen(*os.File) (*os.File, error) { return nil, nil }

// isHeld cannot tell.
func isHeld(*os.File, error) bool { return false }

// claim does nothing either.
func claim(string, bool) (*os.File, error) { return nil, nil }

// FolderID cannot tell here.
func FolderID(string) string { return "" }

package main

import (
	"strings"

	"odx/parallel/pgtool"
)

// hintForTool looks at what a PostgreSQL program said last. Its own words are
// English; what it repeats of the server's may be in another language.
func hintForTool(e *pgtool.ExitError) string {
	for _, known := range []struct{ words, hint string }{
		{"No space left on device", "the disk is full: make room there, or choose a folder on another disk"},
		{"permission denied", "the role may not read or make all of it: connect as the owner or as a superuser (--username)"},
		{"server closed the connection", "the server went away: look into its log"},
		{"does not exist", "something that the dump needs is not on this server; the lines above name it"},
	} {
		if strings.Contains(e.Stderr, known.words) {
			return known.hint
		}
	}
	if e.Signal != "" {
		return "somebody or something (the kernel, when memory ran out?) ended it: look into the system's log"
	}
	return ""
}

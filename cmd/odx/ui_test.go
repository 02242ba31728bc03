package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// TestUI_Controls prints what came from a hostile archive: nothing in it moves
// the cursor, sets the title of the terminal or passes for a line of odx's own.
func TestUI_Controls(t *testing.T) {
	var out bytes.Buffer
	u := &ui{stderr: &out}
	u.warn("table \x1b]0;title\a, é 文\n\tnext\r\u009b31m \x9b \xe9\nodx: verified")
	u.exit(context.Background(), errors.New("entry 7 (TABLE \x1b[2J\x7f)"))
	want := "odx: warning: table ?]0;title?, é 文\n     \tnext??31m ? \xe9\n     odx: verified\nodx: error: entry 7 (TABLE ?[2J?)\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUI_Progress has lines above the progress, which is erased for them.
func TestUI_Progress(t *testing.T) {
	var out bytes.Buffer
	u := &ui{stderr: &out}
	u.draw([]string{"\x1b[32mbar\x1b[0m"})
	u.say("line")
	if got, want := out.String(), "\x1b[32mbar\x1b[0m\n\x1b[1A\r\r\x1b[Jline\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

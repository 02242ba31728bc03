package fuzzing

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestBounded_NoEnd has an input that is never done with.
func TestBounded_NoEnd(t *testing.T) {
	if os.Getenv("ODX_TEST_NO_END") != "" {
		defer Bounded(t, 7)()
		for n := 0; ; n++ {
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBounded_NoEnd$")
	cmd.Env = append(os.Environ(), "ODX_TEST_NO_END=1", LimitVariable+"=300ms")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "7 bytes of input take longer than 300ms") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestBounded_Idle waits, which takes none of the processor's time.
func TestBounded_Idle(t *testing.T) {
	old := longest
	longest = 200 * time.Millisecond
	defer func() { longest = old }()
	done := Bounded(t, 0)
	time.Sleep(2 * longest)
	done()
}

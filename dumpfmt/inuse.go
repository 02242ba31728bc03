package dumpfmt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// InUseError is returned before anything is made when another process works on
// the same target. It matches ErrInUse.
type InUseError struct {
	Path    string // the target
	PID     int
	Command string // such as "odx dump"; "" where the system does not tell
	Since   time.Time
}

func (e *InUseError) Error() string {
	command := e.Command
	if command == "" {
		command = "another odx"
	}
	return fmt.Sprintf("%s is being made by %s (pid %d) since %s", e.Path, command, e.PID, e.Since.Local().Format(time.DateTime))
}

// Unwrap gives ErrInUse.
func (e *InUseError) Unwrap() error { return ErrInUse }

// tempTime is how a temporary name tells when it was given, in UTC.
const tempTime = "20060102T150405Z"

var tempPattern = regexp.MustCompile(`^` + TempPrefix + `(.*)-(\d{8}T\d{6}Z)-(\d+)-(?:([0-9a-f]{8})-)?[0-9a-f]{10}$`)

// thisHost stands in temporary names for the machine. Containers count as machines:
// of some the name is another each time.
var thisHost = sync.OnceValue(func() string {
	name, err := os.Hostname()
	if err != nil {
		name = "?"
	}
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%x", sum[:4])
})

// hostOf gives what a temporary name says of the machine; "" if it says nothing.
func hostOf(temp string) string {
	if m := tempPattern.FindStringSubmatch(temp); m != nil {
		return m[4]
	}
	return ""
}

// refuseInUse fails if a process holds the lock of something under construction
// for the target, but for those that are the caller's own. A folder that may not
// be read hides it.
func refuseInUse(target string, own ...string) error {
	parent, base := filepath.Dir(target), tempBase(filepath.Base(target))
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		m := tempPattern.FindStringSubmatch(e.Name())
		path := filepath.Join(parent, e.Name())
		if m == nil || m[1] != base || slices.Contains(own, path) || !isHeld(Leftover{Path: path}.lock()) {
			continue
		}
		pid, _ := strconv.Atoi(m[3])
		since, _ := time.Parse(tempTime, m[2])
		return &InUseError{Path: target, PID: pid, Command: commandOf(pid), Since: since}
	}
	return nil
}

// aloneTries is how often two that begin at the same moment step back.
const aloneTries = 5

// alone has something made under a temporary name, unless somebody else works
// on the same target. Each looks around when its own lock is held already, so of
// two at most one goes on; and if both step back, not for the same time. The
// holder is something else under construction that is the caller's own, or "".
func alone[T interface {
	Path() string
	Abort() error
}](target, holder string, isNew bool, create func() (T, error)) (made T, err error) {
	target, err = filepath.Abs(target)
	if err != nil {
		return made, err
	}
	check := func(own string) error {
		err := refuseInUse(target, own, holder)
		if isNew { // the other may just have finished
			if exists := refuseExisting(target); exists != nil {
				err = exists
			}
		}
		return err
	}
	for try := 0; ; try++ {
		if err := check(""); err != nil {
			return made, err
		}
		if made, err = create(); err != nil {
			return made, err
		}
		err = check(made.Path())
		if err == nil {
			return made, nil
		}
		err = errors.Join(err, made.Abort())
		if !errors.Is(err, ErrInUse) || try == aloneTries {
			var none T
			return none, err
		}
		time.Sleep(rand.N(50 * time.Millisecond))
	}
}

// shownCommand is what of a command line is shown: more could be secret.
func shownCommand(args []string) string {
	if len(args) == 0 || args[0] == "" {
		return ""
	}
	name := filepath.Base(args[0])
	if len(args) > 1 && args[1] != "" && strings.Trim(args[1], "abcdefghijklmnopqrstuvwxyz") == "" {
		name += " " + args[1]
	}
	return name
}

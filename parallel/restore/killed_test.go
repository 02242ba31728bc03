package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// killPlan is the environment variable that makes the test binary a restore which
// kills itself.
const killPlan = "ODX_TEST_KILL_PLAN"

// killed is what killPlan has.
type killed struct {
	Params             server.Params
	BinDir, Source     string
	Filestore, At      string
	FailAt             string // step at which it is interrupted; "" if it is not
	MissingRoles       MissingRoles
	KeepOld, IsReplace bool
}

// runToBeKilled is one restore in a process of its own.
func runToBeKilled(plan string) {
	var k killed
	if err := json.Unmarshal([]byte(plan), &k); err != nil {
		panic(err)
	}
	r := &run{Options: Options{Server: server.Settings{Params: k.Params}, Source: k.Source, Database: "target", Filestore: k.Filestore,
		Environ: os.Environ(), Finder: pgtool.Finder{BinDir: k.BinDir}, Jobs: 2, Force: k.IsReplace, KeepOld: k.KeepOld, Collation: CollationSource, Copy: true, MissingRoles: k.MissingRoles}}
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	r.hook = func(step string) {
		if step == k.FailAt {
			interrupt()
		}
		if step == k.At {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	_, err := r.do(ctx)
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}

// kill restores in another process, which kills itself at the step.
func (s *site) kill(k killed) {
	s.t.Helper()
	k.Params, k.BinDir, k.Filestore = s.settings(s.User()).Params, s.BinDir(), filepath.Join(s.data, "target")
	plan, err := json.Marshal(k)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killPlan+"="+string(plan), "TMPDIR="+s.t.TempDir())
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.Exited() {
		s.t.Fatalf("not killed: %v\n%s", err, out)
	}
	s.waitFor("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'odx restore%'")
}

// swapSteps are the steps of an exchange, and whether the new ones are in place
// after a kill there.
var swapSteps = []struct {
	name  string
	isNew bool
}{
	{"loaded", false}, {"old database renamed", false}, {"renamed", false}, {"old files moved", false}, {"files in place", false}, {"removing the old", true},
}

// TestRun_KilledInExchange kills a process that replaces a database and its
// filestore, at each step. What comes next, odx clean or another restore, finds
// both old or both new, or puts them back; nothing is left then.
func TestRun_KilledInExchange(t *testing.T) { onServers(t, testKilledInExchange) }

func testKilledInExchange(t *testing.T, s *site) {
	backup := s.backup()
	for _, step := range swapSteps {
		for _, next := range []string{"clean", "resume", "restore"} {
			isLate := step.name == "old files moved" || step.name == "files in place"
			if next == "resume" && step.isNew || next != "clean" && (testing.Short() || !isLate) {
				continue
			}
			t.Run(step.name+", then "+next, func(t *testing.T) {
				s := *s
				s.t = t
				s.newReplacement(backup)
				s.kill(killed{Source: backup, At: step.name, IsReplace: true})
				s.afterKill(t, next, backup, step.isNew)
			})
		}
	}
}

func (s *site) afterKill(t *testing.T, next, backup string, isNew bool) {
	list := s.leftovers()
	if len(list) != 1 || list[0].Record == nil || !strings.Contains(list[0].Describe(now()), `"target"`) {
		t.Fatalf("left over: %+v", list)
	}
	again := s.newRun(backup)
	again.Force, again.Analyze, again.Collation = true, false, CollationSource
	switch next {
	case "resume":
		again.Resume, again.Keep = list[0].Name, true
		if _, err := again.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		isNew = true
	case "restore": // fails: the old ones are in their place all the same
		if err := s.breakOff(again, isStep("database created"), "interrupted"); err == nil {
			t.Error("no error")
		}
	}
	s.cleanAll(t)
	s.wantOld("target", "target", !isNew)
	s.wantDatabases("target")
	s.wantFolders("target")
}

// TestRun_KilledBeforeCommit kills a process that has put a new filestore in
// place, and not committed.
func TestRun_KilledBeforeCommit(t *testing.T) { onServers(t, testKilledBeforeCommit) }

func testKilledBeforeCommit(t *testing.T, s *site) {
	backup := s.backup()
	s.kill(killed{Source: backup, At: "files in place"})
	s.wantFolders("target")
	list := s.leftovers()
	if len(list) != 1 || list[0].Displaced() == "" {
		t.Fatalf("left over: %+v", list)
	}
	again := s.newRun(backup)
	again.Resume, again.Collation = list[0].Name, CollationSource
	if _, err := again.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantDatabases("target")
	s.wantFolders("target")
}

func (s *site) leftovers() []Unfinished {
	s.t.Helper()
	admin, err := s.settings(s.User()).Open(s.t.Context(), "postgres", "odx test")
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	list, err := Leftovers(s.t.Context(), admin)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

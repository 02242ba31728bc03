package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// tortureFault is something that befalls an odx.
type tortureFault struct {
	name   string
	group  string                        // column of the table
	fits   func(o *operation) bool       // nil: all operations
	arm    func(t *testing.T, tr *trial) // before odx is started
	strike func(t *testing.T, tr *trial) // at a moment of its run
	kills  bool                          // odx cannot tidy up
	server bool                          // the server may be gone when odx wants to tidy up
	spares bool                          // odx must not fail for it
	alters bool                          // what is read is not what was measured, and nothing says so
}

func onServer(o *operation) bool { return o.usesServer }

// Some stand here twice, and come more often.
var tortureFaults = []tortureFault{
	{name: "SIGKILL", group: "kill", kills: true, strike: signals(syscall.SIGKILL)},
	{name: "SIGTERM", group: "signal", strike: signals(syscall.SIGTERM)},
	{name: "read error", group: "disk read", arm: armReadError},
	{name: "server killed", group: "server", fits: onServer, server: true, strike: strikeCrash},
	{name: "target's disk full", group: "disk full", arm: armDiskFull},
	{name: "two at once", group: "two", strike: strikeSecond},
	{name: "SIGINT", group: "signal", strike: signals(syscall.SIGINT)},
	{name: "file cut short", group: "disk read", arm: armCutShort},
	{name: "server restarted", group: "server", fits: onServer, server: true, strike: strikeRestart},
	{name: "SIGKILL", group: "kill", kills: true, strike: signals(syscall.SIGKILL)},
	{name: "file changed", group: "files", alters: true, arm: armCopy, strike: strikeChange},
	{name: "no connection left", group: "server", fits: onServer, server: true, strike: strikeConnections},
	{name: "short reads", group: "disk read", spares: true, arm: armShortReads},
	{name: "file vanished", group: "files", arm: armCopy, strike: strikeVanish},
	{name: "SIGINT twice", group: "kill", kills: true, strike: signals(syscall.SIGINT, syscall.SIGINT)},
	{name: "session ended", group: "server", fits: onServer, server: true, strike: strikeSession},
	{name: "file unreadable", group: "files", arm: armUnreadable},
	{name: "odx clean at once", group: "two", spares: true, strike: strikeClean},
	{name: "server's disk full", group: "server", fits: onServer, server: true, strike: strikeServerDisk},
	{name: "child killed", group: "signal", fits: onServer, strike: strikeChild},
	{name: "times and zones", group: "clock", spares: true, arm: armTimes},
}

func signals(list ...syscall.Signal) func(*testing.T, *trial) {
	return func(_ *testing.T, tr *trial) {
		for i, sig := range list {
			if i > 0 { // one that waits is not delivered twice
				time.Sleep(time.Duration(tr.rng.IntN(20)) * time.Millisecond)
			}
			select {
			case <-tr.run1.ended: // its number may be another's by now
				return
			default:
				_ = tr.run1.cmd.Process.Signal(sig)
			}
		}
	}
}

// strikeChild kills something that odx has started.
func strikeChild(t *testing.T, tr *trial) {
	for _, pid := range tr.marked(t) {
		if pid != tr.run1.cmd.Process.Pid {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
}

func strikeCrash(t *testing.T, tr *trial) {
	if err := tr.Crash(); err != nil {
		t.Error(err)
	}
	tr.heal(func(t *testing.T) {
		if err := tr.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func strikeRestart(t *testing.T, tr *trial) {
	if err := tr.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// strikeSession ends one of odx's sessions, as an administrator may.
func strikeSession(t *testing.T, tr *trial) {
	c := tr.connect(t, "postgres")
	defer c.Close(t.Context())
	var ended bool
	err := c.QueryRow(t.Context(), `SELECT COALESCE((SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY md5(pid::text || $1) LIMIT 1), false)`,
		strconv.Itoa(tr.n)).Scan(&ended)
	if err != nil {
		t.Error(err)
	}
}

// strikeConnections takes all connections that the server has left.
func strikeConnections(t *testing.T, tr *trial) {
	var taken []*pgx.Conn
	for range serverConns {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		c, err := pgx.Connect(ctx, tr.DSN("postgres"))
		cancel()
		if err != nil {
			break
		}
		taken = append(taken, c)
	}
	tr.heal(func(*testing.T) {
		for _, c := range taken {
			c.Close(context.Background())
		}
	})
}

// strikeServerDisk leaves the server little room for data and log.
func strikeServerDisk(t *testing.T, tr *trial) {
	ballast := filepath.Join(tr.root, "pg", "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Statfs_t
	if err := syscall.Statfs(ballast, &st); err != nil {
		t.Fatal(err)
	}
	size := int64(st.Bavail)*st.Bsize - tr.rng.Int64N(12<<20)
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, max(size, 4096)); err != nil {
		t.Log(err) // the server took the room meanwhile
	}
	tr.heal(func(t *testing.T) {
		remove(t, ballast)
		tr.revive(t)
	})
}

// armDiskFull gives what odx writes a disk that is too small, or just not.
func armDiskFull(t *testing.T, tr *trial) {
	size := max(tr.rng.Int64N(tr.bytes[tr.op.name]*11/10), 64<<10)
	if err := syscall.Mount("tmpfs", tr.dir, "tmpfs", 0, "mode=755,size="+strconv.FormatInt(size, 10)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(tr.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	tr.heal(func(t *testing.T) {
		if err := syscall.Mount("tmpfs", tr.dir, "tmpfs", syscall.MS_REMOUNT, "size="+strconv.Itoa(256<<20)); err != nil {
			t.Fatal(err)
		}
	})
}

// strikeSecond starts the same command beside the first.
func strikeSecond(t *testing.T, tr *trial) {
	r := tr.begin(t, nil, tr.args()...).wait(t)
	tr.second = &r
}

// strikeClean tidies up while odx works: what is in use is not left over.
func strikeClean(t *testing.T, tr *trial) {
	if r := tr.clean(t); r.code != exitOK {
		t.Errorf("odx clean: exit code %d: %s", r.code, r.stderr)
	}
}

func (tr *trial) clean(t *testing.T) result {
	args := []string{"clean", tr.dir, tr.tmp, "--data-dir", tr.dir, "--yes"}
	if !tr.op.usesServer {
		args = append(args, "--no-server")
	}
	return tr.odx(t, args...)
}

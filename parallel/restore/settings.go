package restore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// The largest maintenance_work_mem that pays: beyond it sorts do not get
// faster, and before 17 the server uses no more than 1 GB for most of them.
const maxWorkMem = 2 << 30

// fastSettings gives server settings for pg_restore's sessions, as options
// for the connection. Building indexes is most of a restore and sorts in
// maintenance_work_mem; nothing of an unfinished restore has to survive a
// crash, so commits need not wait for the disk.
func fastSettings(ctx context.Context, admin *server.Session, local bool, jobs int) (string, error) {
	var current, shared int64
	err := admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT
			(SELECT setting::bigint * 1024 FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem'),
			(SELECT setting::bigint * 8192 FROM pg_catalog.pg_settings WHERE name = 'shared_buffers')`).Scan(&current, &shared)
	})
	if err != nil {
		return "", fmt.Errorf("read the server's settings: %w", err)
	}
	mem := shared / int64(2*jobs)
	if local {
		// A quarter of the memory for all jobs leaves the rest to the server's
		// buffers and the page cache.
		mem = max(mem, machineMemory()/int64(4*jobs))
	}
	mem = max(min(mem, maxWorkMem), current)
	// A worker waits for long while others build their indexes, or the server is
	// silent while it builds its own: neither is to cost the connection.
	options := fmt.Sprintf("-c maintenance_work_mem=%dkB -c synchronous_commit=off"+
		" -c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6", mem>>10)
	if admin.Version >= 140000 {
		options += " -c idle_session_timeout=0"
	}
	if local {
		// Each job builds an index itself, and workers come on top of it: more
		// than there are cores cost 6 % more time than none.
		options += fmt.Sprintf(" -c max_parallel_maintenance_workers=%d", max(runtime.NumCPU()/jobs-1, 0))
	}
	return options, nil
}

// machineMemory gives the memory in bytes that this process's control group
// may use, at most the machine's; 0 if unknown.
func machineMemory() int64 {
	var total int64
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(data) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == "MemTotal:" {
			kb, _ := strconv.ParseInt(string(f[1]), 10, 64)
			total = kb << 10
		}
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64); err == nil && limit > 0 {
			total = min(total, limit)
		}
	}
	return total
}

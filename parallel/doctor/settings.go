package doctor

import (
	"context"
	"fmt"

	"odx/parallel/server"
)

// setting is one of the server's, as pg_settings has it.
type setting struct {
	Name, Value string
	Number      int64  // 0 if it is none
	Text        string // for people, with its unit
}

// slow are settings that make a restore slow, or its result unsafe.
var slow = []struct {
	name     string
	severity Severity
	is       func(setting) bool
	text, do string
}{
	{"fsync", Note, func(s setting) bool { return s.Value == "off" }, "a crash of the machine can destroy all databases of the server",
		"set it on again once the restore has ended"},
	{"wal_level", Note, func(s setting) bool { return s.Value != "minimal" }, "all rows that are loaded go through the write-ahead log",
		"on a server without replicas or archiving, minimal (with max_wal_senders 0) is faster while it lasts"},
	{"archive_mode", Note, func(s setting) bool { return s.Value != "off" }, "everything that is loaded is archived too: the archive grows by about the size of the database",
		"make sure that it has room, and keeps up"},
	{"max_wal_size", Note, func(s setting) bool { return s.Number < 4096 }, "checkpoints come often while rows are loaded",
		"raise it for the restore, for example to 8GB: it takes a reload only"},
	{"shared_buffers", Note, func(s setting) bool { return s.Number*8192 < 256<<20 }, "the server has few buffers",
		"a quarter of the machine's memory is usual"},
	{"synchronous_standby_names", Note, func(s setting) bool { return s.Value != "" }, "some commits wait for a standby", "odx sets synchronous_commit off while it loads"},
	{"default_transaction_read_only", Blocking, func(s setting) bool { return s.Value == "on" }, "nothing can be written", "set it off, for the role or the server"},
}

// Settings names the server's settings that make a restore slow.
func Settings(ctx context.Context, s *server.Session) (list []Finding, err error) {
	names := make([]string, len(slow))
	for i, rule := range slow {
		names[i] = rule.name
	}
	all, err := gather[setting](ctx, s, "read the server's settings", `SELECT name, setting,
		CASE WHEN vartype = 'integer' THEN setting::bigint ELSE 0 END, current_setting(name)
		FROM pg_catalog.pg_settings WHERE name = ANY ($1)`, names)
	if err != nil {
		return nil, err
	}
	for _, rule := range slow {
		for _, v := range all {
			if v.Name == rule.name && rule.is(v) {
				list = append(list, Finding{Check: "settings", Severity: rule.severity, Text: fmt.Sprintf("%s is %s: %s", v.Name, v.Text, rule.text), Do: rule.do})
			}
		}
	}
	return list, nil
}

package dump

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgcopy"
)

// Engine is what moves the rows of the tables.
type Engine string

// The engines. The zero value is EngineDirect where it can be used, otherwise
// EnginePgDump.
const (
	EngineDirect Engine = "direct"  // pg_dump makes the table of contents, odx copies the rows
	EnginePgDump Engine = "pg_dump" // pg_dump does everything
)

// ParseEngine reads the name of an engine, "" for the zero value.
func ParseEngine(name string) (Engine, error) {
	switch e := Engine(name); e {
	case "", EngineDirect, EnginePgDump:
		return e, nil
	}
	return "", fmt.Errorf("engine %q: the engines are %s and %s", name, EngineDirect, EnginePgDump)
}

// ErrEngine is returned before any work when the engine that was asked for
// cannot do what was asked for.
var ErrEngine = errors.New("this dump cannot be made as asked for")

// chooseEngine settles which engine is used, for a server of the given major
// version.
func (r *run) chooseEngine(server int) error {
	compression, reason := directCompression(r.Compress)
	if server < 10 {
		reason = fmt.Sprintf("the server is PostgreSQL %d, older than 10", server)
	}
	switch {
	case r.Engine == EngineDirect && reason != "":
		return fmt.Errorf("%w: --engine %s: %s", ErrEngine, EngineDirect, reason)
	case r.Engine == "" && reason != "":
		r.report.EngineNote = "pg_dump copied the rows, because " + reason
		r.Engine = EnginePgDump
	case r.Engine == "":
		r.Engine = EngineDirect
	}
	if r.Rate > 0 && r.Engine == EnginePgDump {
		if reason == "" {
			reason = "pg_dump has no such limit"
		}
		return fmt.Errorf("%w: --rate needs the %s engine: %s", ErrEngine, EngineDirect, reason)
	}
	r.compression, r.report.Engine = compression, r.Engine
	return nil
}

// directCompression translates a compression as pg_dump takes it. Where the
// direct engine does not have it the reason is not empty.
func directCompression(spec string) (c pgcopy.Compression, reason string) {
	method, detail, _ := strings.Cut(spec, ":")
	if level, err := strconv.Atoi(method); err == nil {
		method, detail = "gzip", strconv.Itoa(level)
		if level == 0 {
			method, detail = "none", ""
		}
	}
	highest := 0
	switch method {
	case "none":
	case "gzip":
		c, highest = pgcopy.Compression{Method: pgarchive.Gzip, Level: 6}, 9
	case "zstd":
		c, highest = pgcopy.Compression{Method: pgarchive.Zstd, Level: 3}, 22
	default:
		return c, fmt.Sprintf("odx itself does not compress with %s", method)
	}
	if detail == "" {
		return c, ""
	}
	level, err := strconv.Atoi(strings.TrimPrefix(detail, "level="))
	if err != nil || level < 1 || level > highest {
		return c, fmt.Sprintf("odx itself does not have the compression %s", spec)
	}
	c.Level = level
	return c, ""
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"odx/dumpfmt"
	"odx/parallel/server"
)

func metricsFlag() cli.Flag {
	return &cli.StringFlag{Name: "metrics-file", Category: groupOutput,
		Usage: "write how the run ended to `FILE`, as Prometheus reads it; also when it fails"}
}

// The metrics of a run. A file has those of several commands and databases.
const (
	metricRun      = "odx_last_run_timestamp_seconds"
	metricSuccess  = "odx_last_success_timestamp_seconds"
	metricDuration = "odx_last_run_duration_seconds"
	metricExitCode = "odx_last_run_exit_code"
	metricBytes    = "odx_last_success_bytes"
	metricMissing  = "odx_last_success_files_missing"
)

var metricHelp = map[string]string{
	metricRun:      "When the last run ended, in seconds since 1970.",
	metricSuccess:  "When the last run ended that did its work (exit status 0 or 3), in seconds since 1970.",
	metricDuration: "How long the last run took.",
	metricExitCode: "The exit status of the last run: 0 done, 3 files of the filestore were missing, else failed.",
	metricBytes:    "Bytes of archive and filestore of the last run that did its work.",
	metricMissing:  "Files of the filestore that were missing, damaged or unreadable in the last run that did its work.",
}

// metrics are the values of a file: by name, then by labels as they are
// written.
type metrics map[string]map[string]string

// metricLine is a line as metrics.encode writes it.
var metricLine = regexp.MustCompile(`^([a-z_]+)(\{command="[a-z]+",database="(?:[^"\\\n]|\\.)*"\}) (-?[0-9.e+]+)$`)

// maxMetrics is the largest metrics file that is read, in bytes.
const maxMetrics = 16 << 20

// readMetrics reads a file that odx wrote; what is not there is empty. A file
// that anybody else wrote is an error: it is not to be lost.
func readMetrics(path string) (metrics, error) {
	m := metrics{}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxMetrics {
		return nil, fmt.Errorf("%s is no metrics file of odx, and is not replaced", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		text := strings.TrimSuffix(string(line), "\n")
		part := metricLine.FindStringSubmatch(text)
		switch {
		case part != nil && metricHelp[part[1]] != "":
			m.set(part[1], part[2], part[3])
		case !strings.HasPrefix(text, "# HELP odx_") && !strings.HasPrefix(text, "# TYPE odx_"):
			return nil, fmt.Errorf("%s is no metrics file of odx, and is not replaced", path)
		}
	}
	return m, nil
}

func (m metrics) set(name, labels, value string) {
	if m[name] == nil {
		m[name] = map[string]string{}
	}
	m[name][labels] = value
}

// encode writes the text format of Prometheus, version 0.0.4.
func (m metrics) encode() []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", name, metricHelp[name], name)
		for _, labels := range slices.Sorted(maps.Keys(m[name])) {
			fmt.Fprintf(&b, "%s%s %s\n", name, labels, m[name][labels])
		}
	}
	return b.Bytes()
}

// labelEscaper escapes what a label's value may not have.
var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// outcomes are what a run of a command says for its metrics, if it was done.
type outcomes struct {
	bytes, missing int64
}

// withMetrics runs a command and writes its metrics if that is asked for,
// whatever became of it. The database is that of an argument.
func withMetrics(c *cli.Context, argument int, ui *ui, run func() (outcomes, error)) error {
	path := c.String("metrics-file")
	if path == "" {
		_, err := run()
		return err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return usagef("--metrics-file %s: there is no such folder", path)
	}
	before, err := readMetrics(path)
	if err == nil {
		err = dumpfmt.ReplaceFile(path, before.encode(), 0o644)
	}
	if err != nil { // better known before the work
		return fmt.Errorf("metrics file: %w", err)
	}
	began := time.Now()
	done, err := run()
	m, failed := readMetrics(path) // others may have written to it meanwhile
	if failed == nil {
		m.note(c.Context, c.Command.Name, databaseName(c.Args().Get(argument)), began, done, err)
		failed = dumpfmt.ReplaceFile(path, m.encode(), 0o644)
	}
	if failed == nil {
		return err
	}
	// What the command has done counts: its exit code says whether there is a
	// backup. That the file is old is seen by the times in it.
	ui.error(fmt.Sprintf("the metrics of this run could not be written: %v", failed))
	return err
}

// note puts in how a run ended.
func (m metrics) note(ctx context.Context, command, database string, began time.Time, done outcomes, err error) {
	labels := fmt.Sprintf(`{command="%s",database="%s"}`, command, labelEscaper.Replace(database))
	code := exitCode(ctx, err)
	ended := fmt.Sprint(time.Now().Unix())
	m.set(metricRun, labels, ended)
	m.set(metricDuration, labels, strconv.FormatFloat(time.Since(began).Seconds(), 'f', 3, 64))
	m.set(metricExitCode, labels, fmt.Sprint(code))
	if code == exitOK || code == exitLosses {
		m.set(metricSuccess, labels, ended)
		m.set(metricBytes, labels, fmt.Sprint(done.bytes))
		m.set(metricMissing, labels, fmt.Sprint(done.missing))
	}
}

// databaseName gives the database of an argument, which may be a connection
// URI: that has a password.
func databaseName(argument string) string {
	if !server.IsURI(argument) {
		return argument
	}
	params, err := server.ParseURI(argument)
	if err != nil {
		return ""
	}
	return params["dbname"]
}

package contest

import (
	_ "embed"
	"slices"
	"strings"
)

// Step is one program that a peer runs. Arguments may hold placeholders:
//
//	{db} {filestore}  the database and its filestore folder
//	{new}             the name of a database that does not exist
//	{out}             a path that does not exist, for what is to be made
//	{tmp}             an empty folder, which is also TMPDIR
//	{in:NAME}         an input, see inputs
//	{jobs}            the number of jobs
//	{bin}             the folder of PostgreSQL's programs
//
// PGHOST, PGPORT and PGUSER name the server. What a step prints is thrown away.
type Step struct {
	Tool string // odx, a program of PostgreSQL, or one that PATH has
	Args []string
	Dir  string // working folder; "" is the work folder
}

// Peer is one way to do a job.
type Peer struct {
	Job      string
	Name     string
	Steps    []Step
	Parallel bool   // it takes {jobs}; the others run once, whatever the jobs
	Odx      bool   // it is odx's; the first one of a job is what others are compared with
	Short    bool   // takes part in a short run
	Aside    bool   // it explains another's figures: one number of jobs is enough
	Compress string // what pg_dump must have been built with: lz4 or zstd
}

// String gives the job and the name.
func (p Peer) String() string { return p.Job + ": " + p.Name }

func (p Peer) has(text string) bool { return strings.Contains(p.String(), text) }

// The jobs, in the order in which they are shown.
const (
	JobDump    = "dump"
	JobRestore = "restore"
	JobToZip   = "folder to zip"
	JobFromZip = "zip to folder"
)

// Jobs returns all jobs in order.
func Jobs() []string { return []string{JobDump, JobRestore, JobToZip, JobFromZip} }

//go:embed odoo.py
var odooScript string

// step makes a step of its program and arguments.
func step(tool string, args ...string) Step { return Step{Tool: tool, Args: args} }

// odx makes a step of odx: quiet, and with the same programs as the others.
func odx(args ...string) Step { return step("odx", append(args, "--quiet", "--no-progress")...) }

func odxDump(target string, options ...string) Step {
	args := []string{"dump", "{db}", target, "--filestore", "{filestore}", "--jobs", "{jobs}", "--pg-bin", "{bin}"}
	return odx(append(args, options...)...)
}

func odxRestore(source string, options ...string) Step {
	args := []string{"restore", source, "{new}", "--filestore", "{out}", "--jobs", "{jobs}", "--pg-bin", "{bin}"}
	return odx(append(args, options...)...)
}

func odxConvert(source, target string, options ...string) Step {
	return odx(append([]string{"convert", source, target, "--jobs", "{jobs}"}, options...)...)
}

// pgDump makes the steps of pg_dump -Fd with a copy of the filestore.
func pgDump(options ...string) []Step {
	args := append([]string{"-Fd", "-j", "{jobs}"}, options...)
	return []Step{
		step("mkdir", "{out}"), step("pg_dump", append(args, "-f", "{out}/dump", "{db}")...),
		step("cp", "-a", "{filestore}", "{out}/filestore"),
	}
}

// clickFolder makes the steps of click-odoo-dumpdb.
func clickFolder() []Step {
	return []Step{
		step("mkdir", "{out}"), step("cp", "-a", "{filestore}", "{out}/filestore"),
		step("pg_dump", "--no-owner", "-Fc", "-f", "{out}/db.dump", "{db}"),
	}
}

// createDatabase makes the database as Odoo does.
func createDatabase() Step {
	return step("createdb", "--template=template0", "--encoding=UTF8", "--lc-collate=C", "{new}")
}

// Peers returns everyone who takes part, odx first in each job. A further way
// of odx is a further row.
func Peers() []Peer {
	return append(append(append(dumpPeers(), restorePeers()...), toZipPeers()...), fromZipPeers()...)
}

func dumpPeers() []Peer {
	return []Peer{
		{Job: JobDump, Name: "odx dump", Odx: true, Short: true, Parallel: true, Steps: []Step{odxDump("{out}")}},
		// What the limit of COPY and deflate is a limit of.
		{Job: JobDump, Name: "odx dump --no-filestore", Odx: true, Parallel: true, Aside: true, Steps: []Step{
			odx("dump", "{db}", "{out}", "--no-filestore", "--jobs", "{jobs}", "--pg-bin", "{bin}")}},
		{Job: JobDump, Name: "odx dump -Zzstd:1", Odx: true, Parallel: true, Compress: "zstd", Steps: []Step{odxDump("{out}", "-Zzstd:1")}},
		{Job: JobDump, Name: "odx dump -Znone", Odx: true, Parallel: true, Steps: []Step{odxDump("{out}", "-Znone")}},
		{Job: JobDump, Name: "odx dump to a zip", Odx: true, Short: true, Parallel: true, Steps: []Step{odxDump("{out}.zip")}},
		{Job: JobDump, Name: "odx dump --engine pg_dump", Odx: true, Parallel: true, Steps: []Step{odxDump("{out}", "--engine", "pg_dump")}},
		{Job: JobDump, Name: "Odoo (zip)", Short: true, Steps: []Step{
			step("python3", "-c", odooScript, "dump", "{bin}/pg_dump", "{db}", "{filestore}", "{out}.zip")}},
		{Job: JobDump, Name: "click-odoo folder (pg_dump -Fc)", Steps: clickFolder()},
		{Job: JobDump, Name: "pg_dump -Fd -jN, cp -a", Short: true, Parallel: true, Steps: pgDump()},
		{Job: JobDump, Name: "pg_dump -Fd -jN -Z1, cp -a", Short: true, Parallel: true, Steps: pgDump("-Z1")},
		{Job: JobDump, Name: "pg_dump -Fd -jN -Zlz4, cp -a", Parallel: true, Compress: "lz4", Steps: pgDump("-Zlz4")},
		{Job: JobDump, Name: "pg_dump -Fd -jN -Zzstd:1, cp -a", Parallel: true, Compress: "zstd", Steps: pgDump("-Zzstd:1")},
		{Job: JobDump, Name: "pg_dump -Fd -jN -Z0, cp -a", Parallel: true, Steps: pgDump("-Z0")},
	}
}

func restorePeers() []Peer {
	files := step("cp", "-a", "{in:folder}/filestore", "{out}")
	loadInto := func(database string, options ...string) Step {
		args := append([]string{"--no-owner", "-j", "{jobs}", "-d", database}, options...)
		return step("pg_restore", append(args, "{in:folder}/dump")...)
	}
	load := func(options ...string) Step { return loadInto("{new}", options...) }
	odoo := []Step{createDatabase(), step("psql", "-q", "-d", "{new}", "-c", "CREATE EXTENSION IF NOT EXISTS pg_trgm"),
		step("python3", "-c", odooScript, "restore", "{bin}/psql", "{new}", "{in:zip}", "{out}")}
	return []Peer{
		{Job: JobRestore, Name: "odx restore", Odx: true, Short: true, Parallel: true, Steps: []Step{odxRestore("{in:fast}")}},
		{Job: JobRestore, Name: "odx restore, Odoo's zip", Odx: true, Short: true, Parallel: true, Steps: []Step{odxRestore("{in:zip}")}},
		{Job: JobRestore, Name: "odx restore, Odoo's zip, --analyze=false", Odx: true, Parallel: true, Aside: true, Steps: []Step{odxRestore("{in:zip}", "--analyze=false")}},
		{Job: JobRestore, Name: "odx restore, odx's zip", Odx: true, Parallel: true, Steps: []Step{odxRestore("{in:odxzip}")}},
		{Job: JobRestore, Name: "Odoo (zip)", Short: true, Steps: odoo},
		// With the statistics that odx gathers.
		{Job: JobRestore, Name: "Odoo (zip), vacuumdb -Z", Steps: append(slices.Clip(odoo), step("vacuumdb", "-q", "--analyze-only", "{new}"))},
		{Job: JobRestore, Name: "click-odoo folder (pg_restore)", Steps: []Step{
			createDatabase(), step("pg_restore", "--no-owner", "-d", "{new}", "{in:click}/db.dump"),
			step("cp", "-a", "{in:click}/filestore", "{out}")}},
		{Job: JobRestore, Name: "pg_restore -jN, cp -a", Short: true, Parallel: true, Steps: []Step{createDatabase(), load(), files}},
		// What odx sets for its sessions where there is memory enough.
		{Job: JobRestore, Name: "pg_restore -jN with odx's settings, cp -a", Parallel: true, Aside: true, Steps: []Step{createDatabase(), loadInto("dbname={new} " +
			"options='-c maintenance_work_mem=2GB -c synchronous_commit=off -c max_parallel_maintenance_workers=0'"), files}},
		// Indexes wait for all data, as they do when a zip is restored.
		{Job: JobRestore, Name: "pg_restore -jN by sections, cp -a", Parallel: true, Aside: true, Steps: []Step{
			createDatabase(), load("--section=pre-data"), load("--section=data"), load("--section=post-data"), files}},
		{Job: JobRestore, Name: "pg_restore -jN, cp -a, vacuumdb -Z", Parallel: true, Steps: []Step{
			createDatabase(), load(), files, step("vacuumdb", "-q", "--analyze-only", "-j", "{jobs}", "{new}")}},
	}
}

func toZipPeers() []Peer {
	return []Peer{
		{Job: JobToZip, Name: "odx convert", Odx: true, Short: true, Parallel: true, Steps: []Step{odxConvert("{in:fast}", "{out}.zip")}},
		{Job: JobToZip, Name: "odx convert, pg_dump's folder", Odx: true, Short: true, Parallel: true, Steps: []Step{
			odxConvert("{in:folder}/dump", "{out}.zip", "--filestore", "{in:folder}/filestore")}},
		{Job: JobToZip, Name: "pg_restore -f, zip", Short: true, Steps: []Step{
			step("pg_restore", "--no-owner", "-f", "{tmp}/dump.sql", "{in:fast}/dump"),
			step("cp", "{in:fast}/manifest.json", "{tmp}/manifest.json"),
			{Tool: "zip", Args: []string{"-q", "{out}.zip", "dump.sql", "manifest.json"}, Dir: "{tmp}"},
			{Tool: "zip", Args: []string{"-q", "-r", "-D", "{out}.zip", "filestore"}, Dir: "{in:fast}"},
		}},
	}
}

func fromZipPeers() []Peer {
	return []Peer{
		{Job: JobFromZip, Name: "odx convert, Odoo's zip", Odx: true, Short: true, Parallel: true, Steps: []Step{odxConvert("{in:zip}", "{out}")}},
		{Job: JobFromZip, Name: "odx convert, odx's zip", Odx: true, Short: true, Parallel: true, Steps: []Step{odxConvert("{in:odxzip}", "{out}")}},
		{Job: JobFromZip, Name: "unzip, psql, pg_dump -Fd -jN", Short: true, Parallel: true, Steps: []Step{
			step("unzip", "-q", "{in:zip}", "-d", "{out}"), createDatabase(),
			step("psql", "-q", "-X", "-d", "{new}", "-f", "{out}/dump.sql"),
			step("pg_dump", "-Fd", "-j", "{jobs}", "-f", "{out}/dump", "{new}"),
			step("rm", "{out}/dump.sql")}},
	}
}

// input is something that restores and conversions read.
type input struct {
	name  string
	steps []Step
}

// inputs are made in this order, each at its placeholder's path, by the same
// steps as the peers use. They are not measured.
func inputs() []input {
	return []input{
		{"fast", []Step{odxDump("{out}")}},
		{"zip", []Step{step("python3", "-c", odooScript, "dump", "{bin}/pg_dump", "{db}", "{filestore}", "{out}")}},
		{"odxzip", []Step{odxConvert("{in:fast}", "{tmp}/made.zip"), step("mv", "{tmp}/made.zip", "{out}")}},
		{"folder", pgDump()},
		{"click", clickFolder()},
	}
}

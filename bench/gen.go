package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Profile is how a database's size is spread over its tables.
type Profile int

const (
	// RealLife has the skew of a company's database: mail_message,
	// account_move_line, mail_tracking_value and stock_move dominate.
	RealLife Profile = iota
	// OneTable has nine tenths of everything in mail_message.
	OneTable
	// ManyFiles has nine tenths of everything in the filestore.
	ManyFiles
)

var profileNames = [...]string{"real-life", "one-table", "many-files"}

// String gives the profile's name.
func (p Profile) String() string {
	if p < 0 || int(p) >= len(profileNames) {
		return fmt.Sprintf("profile %d", int(p))
	}
	return profileNames[p]
}

// ParseProfile returns the profile of that name.
func ParseProfile(name string) (Profile, error) {
	i := slices.Index(profileNames[:], name)
	if i < 0 {
		return 0, fmt.Errorf("no profile %q; there are %s", name, strings.Join(profileNames[:], ", "))
	}
	return Profile(i), nil
}

// Options say what to make. The zero value of everything but DSN and Database
// is usable.
type Options struct {
	// DSN holds the connection settings, as a URI or as keywords and values, of a
	// superuser or a role that may create databases. Its database is only used to
	// create the new one; default postgres.
	DSN string
	// Database is the name of the database to make. It must not exist.
	Database string
	// Owner is an existing role that gets the database and all it holds; the role
	// of DSN must be a superuser or its member. Default: the role of DSN.
	Owner string
	// Filestore is the folder that gets the attachments' files; it is created and
	// must be empty. Default: no files, and no rows that name any.
	Filestore string
	// Seed changes the rows and files. The tables are the same for every seed.
	Seed uint64
	// Scale is about the size of all tables as COPY text, in bytes. Default 10 MB;
	// there is little skew below that, and some 2 MB are always made.
	Scale int64
	// FilestoreBytes is about the size of all files. Default: half of Scale if
	// there is a Filestore, nine times Scale for ManyFiles.
	FilestoreBytes int64
	// Profile spreads the size over the tables.
	Profile Profile
	// Tables is the number of invented tables beside those of Odoo; two thirds as
	// many relation tables come with them. Default 200, none if negative. Odoo 19
	// with the usual modules is reached with 350: some 750 tables, 2,700 foreign
	// keys, 1,900 keys and indexes.
	Tables int
	// Jobs is the number of connections and of goroutines that make rows. It has
	// no influence on what is made. Default: the number of processors.
	Jobs int
	// Extras adds what an Odoo database usually has not, but may: large objects,
	// a materialized view, a partitioned table.
	Extras bool
}

// Result says what was made and how long it took.
type Result struct {
	Tables, ForeignKeys, Indexes int   // indexes without those of keys
	Keys                         int   // primary and unique keys
	Rows                         int64 // of all tables
	CopyBytes                    int64 // of all rows as COPY text
	Files                        int64 // in the filestore, the empty ones of the checklist not counted
	FileBytes                    int64
	Trigrams                     bool // the server had pg_trgm, so the trigram indexes are there
	Load                         time.Duration
	Build                        time.Duration // keys, indexes, statistics, foreign keys
}

const (
	defaultScale  = 10_000_000
	defaultTables = 200
)

func (o Options) withDefaults() (Options, error) {
	if o.Database == "" {
		return o, errors.New("no name for the database")
	}
	if o.Scale < 0 || o.FilestoreBytes < 0 {
		return o, errors.New("negative size")
	}
	if o.Scale == 0 {
		o.Scale = defaultScale
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.NumCPU()
	}
	switch {
	case o.Filestore == "":
		o.FilestoreBytes = 0
	case o.FilestoreBytes == 0 && o.Profile == ManyFiles:
		o.FilestoreBytes = 9 * o.Scale
	case o.FilestoreBytes == 0:
		o.FilestoreBytes = o.Scale / 2
	}
	switch {
	case o.Tables == 0:
		o.Tables = defaultTables
	case o.Tables < 0:
		o.Tables = 0
	}
	return o, nil
}

// Generate makes a database and a filestore. The same options and seed give the
// same, whatever Jobs is: pg_dump prints the same text and the folders are equal
// by name, size, content and time of the files. If it fails or ctx ends, what it
// has made is removed again.
func Generate(ctx context.Context, options Options) (res Result, err error) {
	opts, err := options.withDefaults()
	if err != nil {
		return res, err
	}
	p, err := newPlan(opts)
	if err != nil {
		return res, err
	}
	if opts.Filestore != "" {
		remove, makeErr := makeFilestore(opts.Filestore)
		if makeErr != nil {
			return res, fmt.Errorf("make filestore: %w", makeErr)
		}
		defer func() { err = undo(err, remove) }()
	}
	g := &generation{plan: p}
	if err := g.createDatabase(ctx); err != nil {
		return res, fmt.Errorf("create database %q: %w", opts.Database, err)
	}
	defer func() { err = undo(err, g.dropDatabase) }()
	return g.run(ctx)
}

// run fills the new database.
func (g *generation) run(ctx context.Context) (Result, error) {
	begin := time.Now()
	if err := g.createTables(ctx); err != nil {
		return Result{}, fmt.Errorf("create tables: %w", err)
	}
	if err := g.load(ctx); err != nil {
		return Result{}, fmt.Errorf("load rows: %w", err)
	}
	loaded := time.Now()
	if err := g.build(ctx); err != nil {
		return Result{}, err
	}
	res := g.result
	res.Load, res.Build = loaded.Sub(begin), time.Since(loaded)
	res.CopyBytes = g.copied.Load()
	res.Files, res.FileBytes = g.files.files.Load(), g.files.bytes.Load()
	res.Trigrams = g.trigrams
	res.Tables = len(g.schema.tables)
	for _, t := range g.schema.tables {
		res.Rows += t.rows
		res.Keys += 1 + len(t.uniques)
	}
	return res, nil
}

// undo runs clean if err is set, and returns both errors.
func undo(err error, clean func() error) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, clean())
}

// makeFilestore creates the folder, or takes an empty one, and returns what
// removes again what it will hold.
func makeFilestore(dir string) (remove func() error, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return func() error { return os.RemoveAll(dir) }, os.MkdirAll(dir, 0o700)
	case err != nil:
		return nil, err
	case len(entries) > 0:
		return nil, fmt.Errorf("%s is not empty", dir)
	}
	return func() error {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
		return err
	}, nil
}

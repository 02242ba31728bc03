package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// The groups under which help lists flags.
const (
	groupConnection = "Connection (then PG* environment, ~/.pgpass, service file, odoo.conf):"
	groupFilestore  = "Filestore:"
	groupOutput     = "Output:"
)

func connectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "host", Category: groupConnection, Usage: "server's host, or the folder of its Unix socket"},
		&cli.StringFlag{Name: "port", Aliases: []string{"p"}, Category: groupConnection, Usage: "server's port"},
		&cli.StringFlag{Name: "username", Aliases: []string{"U"}, Category: groupConnection, Usage: "role to connect as"},
		&cli.StringFlag{Name: "maintenance-db", Category: groupConnection, Usage: "database to connect to while another is made or dropped (default: postgres)"},
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Category: groupConnection, Usage: "Odoo's configuration `FILE` (default: $ODOO_RC, ~/.odoorc)"},
		&cli.StringFlag{Name: "pg-bin", Category: groupConnection, Usage: "`FOLDER` of pg_dump and pg_restore (default: the newest that suits of PATH and the usual folders)"},
	}
}

func filestoreFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "filestore", Category: groupFilestore, Usage: "the database's own filestore `FOLDER`"},
		&cli.StringFlag{Name: "data-dir", Category: groupFilestore, Usage: "Odoo's data `FOLDER`; the files are in filestore/DBNAME below it"},
		&cli.BoolFlag{Name: "no-filestore", Category: groupFilestore, Usage: "leave the filestore out"},
	}
}

func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Category: groupOutput, Usage: "print a report as one JSON object on stdout"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: groupOutput, Usage: "print errors, and what is missing, only"},
		&cli.BoolFlag{Name: "no-progress", Category: groupOutput, Usage: "show no progress"},
		&cli.BoolFlag{Name: "progress-json", Category: groupOutput, Usage: "show progress as a JSON object a second on stderr"},
	}
}

func jobsFlag(what string) cli.Flag {
	return &cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Value: runtime.NumCPU(), DefaultText: "number of processors",
		Usage: "`NUMBER` of connections " + what + ", and of files copied at once"}
}

// connection is what the command line, the environment and odoo.conf say about
// server and files.
type connection struct {
	settings server.Settings
	database string
	finder   pgtool.Finder
	conf     *odooConf
}

// resolveConnection reads the connection flags. The database may be a name or
// a connection URI.
func resolveConnection(c *cli.Context, database string) (*connection, error) {
	home, _ := os.UserHomeDir()
	conf, err := loadOdooConf(c.String("config"), os.Getenv, home)
	if err != nil {
		return nil, err
	}
	params := server.Params{}
	if server.IsURI(database) {
		if params, err = server.ParseURI(database); err != nil {
			return nil, errUsage{err.Error()}
		}
		if database = params["dbname"]; database == "" {
			return nil, usagef("the connection URI names no database")
		}
	}
	for flag, key := range map[string]string{"host": "host", "port": "port", "username": "user"} {
		if c.IsSet(flag) {
			params[key] = c.String(flag)
		}
	}
	if err := fillEnvironment(conf); err != nil {
		return nil, err
	}
	return &connection{
		settings: server.Settings{Params: params, FallbackUser: conf.DBUser, FallbackPassword: conf.DBPassword},
		database: database,
		finder:   pgtool.Finder{BinDir: c.String("pg-bin"), Path: os.Getenv("PATH")},
		conf:     conf,
	}, nil
}

// fillEnvironment lets odoo.conf speak where the PG* environment does not. A
// service file and flags still win, here and in child processes.
func fillEnvironment(conf *odooConf) error {
	port := ""
	if conf.DBPort != 0 {
		port = fmt.Sprint(conf.DBPort)
	}
	for name, value := range map[string]string{
		"PGHOST": conf.DBHost, "PGPORT": port, "PGUSER": conf.DBUser, "PGSSLMODE": conf.DBSSLMode,
	} {
		if value == "" || os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// filestorePath decides where a database's filestore is: "" for none.
func (cn *connection) filestorePath(c *cli.Context, database string) (string, error) {
	given := 0
	for _, name := range []string{"filestore", "data-dir", "no-filestore"} {
		if c.IsSet(name) {
			given++
		}
	}
	if given > 1 {
		return "", usagef("give one of --filestore, --data-dir and --no-filestore")
	}
	if c.Bool("no-filestore") {
		return "", nil
	}
	if c.IsSet("filestore") {
		return filepath.Abs(c.String("filestore"))
	}
	if strings.ContainsAny(database, "/\x00") || !filepath.IsLocal(database) {
		return "", usagef("database %q cannot be the name of a folder: give --filestore or --no-filestore", database)
	}
	return cn.belowData(c, database)
}

// belowData gives the place of a database's filestore in the data folder.
func (cn *connection) belowData(c *cli.Context, database string) (string, error) {
	return filepath.Abs(filepath.Join(cn.dataDir(c), "filestore", database))
}

// filestores gives the folder with the filestores of all databases, if it is
// there.
func (cn *connection) filestores(c *cli.Context) []string {
	dir := filepath.Join(cn.dataDir(c), "filestore")
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	return []string{dir}
}

// dataDir gives Odoo's data folder.
func (cn *connection) dataDir(c *cli.Context) string {
	if dir := cn.dataDirNamed(c); dir != "" {
		return dir
	}
	home, _ := os.UserHomeDir()
	return defaultDataDir(os.Getenv, home)
}

// dataDirNamed gives the data folder that a flag or odoo.conf names, "" if none
// does.
func (cn *connection) dataDirNamed(c *cli.Context) string {
	if c.IsSet("data-dir") {
		return c.String("data-dir")
	}
	return cn.conf.DataDir
}

// olderFilestore gives the folder that --filestore-from names: what has a slash
// is a path, anything else a database.
func (cn *connection) olderFilestore(c *cli.Context) (string, error) {
	switch from := c.String("filestore-from"); {
	case !c.IsSet("filestore-from"):
		return "", nil
	case strings.ContainsRune(from, '/'):
		return filepath.Abs(from)
	case !filepath.IsLocal(from) || from == ".":
		return "", usagef("--filestore-from %q: give the name of a database, or a path with a slash in it", from)
	default:
		return cn.belowData(c, from)
	}
}

// waitTime reads a flag like --lock-wait-timeout: milliseconds, as pg_dump takes
// it, or a number with a unit.
func waitTime(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "ms")
	}
	if err != nil || d < 0 {
		return 0, usagef("--%s %q: give milliseconds, or a number with a unit such as 30s", flag, text)
	}
	return d, nil
}

// sizeUnits are the units of bytesText.
var sizeUnits = map[string]float64{"": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}

// byteSize reads a size in bytes, which may have a unit.
func byteSize(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	number := strings.TrimRight(text, "kKMGB ")
	unit, known := sizeUnits[strings.TrimSpace(text[len(number):])]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || !(n*unit >= 1 && n*unit < 1e18) {
		return 0, usagef("--%s %q: give bytes, or a number with a unit such as 20MB", flag, text)
	}
	return int64(n * unit), nil
}

func join(groups ...[]cli.Flag) (all []cli.Flag) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

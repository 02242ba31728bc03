package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"odx/dumpfmt"
	"odx/parallel/pgtool"
)

// Cluster is a throw-away cluster and its server. Its methods may be called
// from several goroutines.
type Cluster struct {
	folders  []*dumpfmt.Scratch
	dir      string // the first, where everything is, except for
	sockets  string // the socket, where the path of dir is too long for one
	postgres pgtool.Tool
	user     *pgtool.Credential
	port     int

	mu        sync.Mutex
	server    *pgtool.Process // nil while it is stopped
	isRemoved bool
	locales   string
}

// Start makes a cluster and starts its server. It returns when the server takes
// connections. Ctx ends the start, not the server; the caller calls Stop.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	c := &Cluster{locales: o.Locales}
	if c.port, err = o.port(); err != nil {
		return nil, err
	}
	if c.user, err = serverUser(); err != nil {
		return nil, err
	}
	if c.postgres, err = (pgtool.Finder{BinDir: o.BinDir}).Newest(ctx, "postgres"); err != nil {
		return nil, err
	}
	initdb, err := pgtool.Finder{BinDir: c.BinDir()}.Newest(ctx, "initdb")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err := c.makeFolders(o.Dir); err != nil {
		return nil, fmt.Errorf("make cluster: %w", err)
	}
	if err := c.init(ctx, initdb, o); err != nil {
		return nil, fmt.Errorf("make cluster: %w", err)
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// makeFolders makes the cluster's folder, which belongs to the server's user
// and lets nobody else in, and one for the socket where that is needed.
func (c *Cluster) makeFolders(parent string) (err error) {
	if c.dir, err = c.makeFolder(parent); err != nil {
		return err
	}
	c.sockets = c.dir
	if len(c.socketPath()) <= socketPathMax() {
		return nil
	}
	if c.sockets, err = c.makeFolder("/tmp"); err != nil {
		return fmt.Errorf("path %s is too long for a socket: %w", c.dir, err)
	}
	return nil
}

func (c *Cluster) makeFolder(parent string) (string, error) {
	folder, err := dumpfmt.CreateScratch(parent, "pg")
	if err != nil {
		return "", err
	}
	c.folders = append(c.folders, folder)
	if c.user == nil {
		return folder.Path(), nil
	}
	return folder.Path(), os.Chown(folder.Path(), int(c.user.UID), int(c.user.GID))
}

func (c *Cluster) socketPath() string {
	return filepath.Join(c.sockets, ".s.PGSQL."+strconv.Itoa(c.port))
}

// DataDir gives the server's data folder, which its own user alone may read.
func (c *Cluster) DataDir() string { return filepath.Join(c.dir, "data") }

// init runs initdb and writes the settings.
func (c *Cluster) init(ctx context.Context, initdb pgtool.Tool, o Options) error {
	config, err := o.config(c.sockets)
	if err != nil {
		return err
	}
	locale := o.Locale
	if locale == "" {
		locale = "C.UTF-8"
	}
	_, err = pgtool.Run(ctx, pgtool.Command{
		Tool: initdb.Path,
		Args: []string{"--pgdata=" + c.DataDir(), "--username=" + superuser, "--auth=trust", "--encoding=UTF8",
			"--locale=" + locale, "--lc-messages=C", "--no-sync"},
		Env: c.environment(), Dir: c.dir, User: c.user,
	})
	if err != nil {
		return c.explain(err)
	}
	return appendFile(filepath.Join(c.DataDir(), "postgresql.conf"), config)
}

// environment is that of the server. TZ spares initdb the search for the name
// of the system's time zone.
func (c *Cluster) environment() []string {
	set := map[string]string{"TZ": "UTC"}
	if c.locales != "" {
		set["LOCPATH"] = c.locales
	}
	return pgtool.ChildEnv(nil, set)
}

// explain says more than "permission denied" where the server's user cannot
// enter a folder that root can.
func (c *Cluster) explain(err error) error {
	if c.user != nil && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (user postgres has to be able to enter %s and %s)", err, c.dir, c.BinDir())
	}
	return err
}

func appendFile(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(text)
	return err
}

// Host returns the folder of the socket, for PGHOST or host=.
func (c *Cluster) Host() string { return c.sockets }

// Port returns the port, which is part of the socket's name.
func (c *Cluster) Port() int { return c.port }

// User returns the name of the superuser. It needs no password.
func (c *Cluster) User() string { return superuser }

// BinDir returns the folder of the server's programs.
func (c *Cluster) BinDir() string { return filepath.Dir(c.postgres.Path) }

// Major returns the major version of the server, such as 15.
func (c *Cluster) Major() int { return c.postgres.Version.Major }

// PID returns the number of the server's first process, 0 while it is stopped.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return 0
	}
	return c.server.PID()
}

// LogPath returns the path of the server's log, which is there until Stop.
func (c *Cluster) LogPath() string { return filepath.Join(c.dir, "log") }

// DSN returns a connection string of keywords and values for the superuser and
// that database.
func (c *Cluster) DSN(db string) string {
	return fmt.Sprintf("host=%s port=%d user=%s dbname=%s", quote(c.sockets), c.port, superuser, quote(db))
}

// Env returns PGHOST, PGPORT and PGUSER as variables of an environment.
func (c *Cluster) Env() []string {
	return []string{"PGHOST=" + c.sockets, "PGPORT=" + strconv.Itoa(c.port), "PGUSER=" + superuser}
}

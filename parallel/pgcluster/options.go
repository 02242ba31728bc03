package pgcluster

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"odx/parallel/pgtool"
)

// Options say what cluster to make. The zero value makes a usual one.
type Options struct {
	// BinDir is the folder of initdb and postgres; "" is that of the newest
	// server found in the usual folders.
	BinDir string
	// Settings go to postgresql.conf and win over those that make the server
	// small and quick. Values are as SHOW prints them, without quotes.
	Settings map[string]string
	// Locale of the databases, as initdb --locale; "" is C.UTF-8. Messages
	// are in English always.
	Locale string
	// Locales is a folder of compiled locales, for glibc's LOCPATH; "" means the
	// system's.
	Locales string
	// Dir is where the cluster's folder is made; "" is os.TempDir(). The user
	// that the server runs as has to be able to enter it.
	Dir string
}

const (
	superuser   = "postgres"
	defaultPort = 5432
	socketsKey  = "unix_socket_directories"
)

// quick returns the settings that Options may override.
func quick() map[string]string {
	return map[string]string{
		"fsync":              "off",
		"synchronous_commit": "off",
		"full_page_writes":   "off",
		"shared_buffers":     "64MB",
		"listen_addresses":   "",
	}
}

// port returns the number in the socket's name.
func (o Options) port() (int, error) {
	port, err := strconv.Atoi(cmp.Or(o.Settings["port"], strconv.Itoa(defaultPort)))
	if err != nil {
		return 0, fmt.Errorf("read setting port: %w", err)
	}
	return port, nil
}

// config returns what is added to postgresql.conf.
func (o Options) config(sockets string) (string, error) {
	if _, isSet := o.Settings[socketsKey]; isSet {
		return "", fmt.Errorf("%s cannot be chosen", socketsKey)
	}
	all := quick()
	maps.Copy(all, o.Settings)
	// The value is a list; a name in double quotes may contain anything.
	all[socketsKey] = `"` + strings.ReplaceAll(sockets, `"`, `""`) + `"`
	var b strings.Builder
	b.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s = %s\n", name, quote(all[name]))
	}
	return b.String(), nil
}

// quote puts a value in single quotes in which the backslash escapes, as
// postgresql.conf and libpq's connection strings both have them.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// serverUser returns whom the server must run as: nil unless this is root.
func serverUser() (*pgtool.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(superuser)
	if unknown := user.UnknownUserError(""); errors.As(err, &unknown) {
		return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres to run it as; " +
			"Debian's package postgresql-common makes one")
	}
	if err != nil {
		return nil, fmt.Errorf("look up user postgres: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read number of user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read group of user postgres: %w", err)
	}
	return &pgtool.Credential{UID: uint32(uid), GID: uint32(gid)}, nil
}

// socketPathMax is the longest path of a socket that the system takes, in bytes.
func socketPathMax() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

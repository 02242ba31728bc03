package main

import (
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"odx/parallel/dump"
	"odx/parallel/server"
)

// upgradeCompress is what pg_dump does by itself, and what its client sends: the
// upload takes longer than anything else.
const upgradeCompress = "gzip:6"

// checkForUpgrade refuses what does not go with a dump for upgrade.odoo.com. Its
// own client sends what pg_dump makes, with gzip; of other methods nobody says
// that they are taken.
func checkForUpgrade(c *cli.Context, toZip bool) error {
	for _, name := range []string{"filestore", "verify-filestore", "link-dest"} {
		if c.IsSet(name) {
			return usagef("--for-upgrade leaves the filestore out: it is merged with the answer by odx restore --filestore-from; leave --%s out", name)
		}
	}
	if toZip {
		return usagef("--for-upgrade makes a folder: give a name that does not end in .zip")
	}
	if c.IsSet(metricsFlag().Names()[0]) {
		return usagef("what --for-upgrade makes is no backup: leave --metrics-file out")
	}
	if method, _, _ := strings.Cut(c.String("compress"), ":"); method == "lz4" || method == "zstd" {
		return usagef("--for-upgrade takes gzip, as the client of upgrade.odoo.com makes it: leave --compress out")
	}
	return nil
}

// nextForUpgrade prints what is to be run next. The client asks for the target
// version and the subscription's code, which odx does not print.
func (u *ui) nextForUpgrade(target, database string, flags []string) {
	u.say("odx: next, in bash, with the version to go to and the code of the subscription (database.enterprise_code):")
	u.say("     %s", upgradeCommand(target))
	u.say("     then, with what that has downloaded to %s:", target)
	u.say("     %s", restoreUpgraded(target, database, flags))
}

func upgradeCommand(target string) string {
	return "python3 <(curl -s https://upgrade.odoo.com/upgrade) test -i " + shellWord(filepath.Join(target, dump.UpgradeDump)) + " -t VERSION -c CODE"
}

func restoreUpgraded(target, database string, flags []string) string {
	words := append([]string{filepath.Join(target, "upgraded.dump"), "NEW_NAME", "--filestore-from", database}, flags...)
	for i := range words {
		words[i] = shellWord(words[i])
	}
	return "odx restore " + strings.Join(words, " ")
}

// sameServer gives the flags that say again which server and files a command was
// about: those that were given, and what a connection URI has of them but for a
// password.
func sameServer(c *cli.Context, params server.Params) (flags []string) {
	for _, f := range []struct{ name, key string }{
		{"config", ""}, {"data-dir", ""}, {"host", "host"}, {"port", "port"}, {"username", "user"}, {"pg-bin", ""},
	} {
		value := c.String(f.name)
		if value == "" && f.key != "" {
			value = params[f.key]
		}
		if value != "" {
			flags = append(flags, "--"+f.name, value)
		}
	}
	return flags
}

// shellWord quotes a word for a shell, if need be.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@,+"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"syscall"

	"odx/convert"
	"odx/dumpfmt"
	"odx/parallel/doctor"
	"odx/parallel/dump"
	"odx/parallel/odoo"
	"odx/parallel/pgload"
	"odx/parallel/pgtool"
	"odx/parallel/restore"
	"odx/parallel/scratch"
	"odx/parallel/server"
)

// Exit codes; the text for users is exitCodes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitLosses      = 3
	exitFormat      = 4
	exitTool        = 5
	exitInterrupted = 130
)

// errLosses says that a command did all it could, and that files of the
// filestore are missing.
var errLosses = errors.New("files of the filestore are missing or damaged")

// errDamaged says that a dump was verified, and is damaged.
var errDamaged = errors.New("the dump is damaged")

// errDiffer says that two dumps were compared, and are not the same.
var errDiffer = errors.New("the dumps differ")

// exitCode gives the exit code for what a command returned. Data that odx loads
// in pg_restore's place fail as with pg_restore.
func exitCode(ctx context.Context, err error) int {
	var tool *pgtool.ExitError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errLosses):
		return exitLosses
	case errors.Is(err, errDamaged):
		return exitFormat
	case errors.Is(err, errBlocked):
		return exitFailed
	case errors.As(err, new(errUsage)), errors.Is(err, convert.ErrNoPlan):
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, dumpfmt.ErrFormat), errors.Is(err, dumpfmt.ErrUnsupported):
		return exitFormat
	case errors.As(err, &tool), errors.As(err, new(*pgload.Error)):
		return exitTool
	}
	return exitFailed
}

// explain gives an error's text for people, and what they can do about it.
func explain(ctx context.Context, err error) (text, hint string) {
	if ctx.Err() == nil {
		return err.Error(), hintFor(err)
	}
	for _, in := range []func(error) error{find[*restore.KeptError], find[*restore.UnsureError], find[*restore.LeftoverError], find[*restore.DisplacedError]} {
		if left := in(err); left != nil {
			return "interrupted; " + left.Error(), ""
		}
	}
	if left, ok := errors.AsType[*dumpfmt.AbortError](err); ok {
		return "interrupted; " + left.Error(), "odx clean --no-server --yes " + filepath.Dir(left.Path) + " removes it, once nothing is in the way"
	}
	return "interrupted; nothing half-made is left", ""
}

// find gives the first error of a kind in a tree of errors, nil if there is none.
func find[T error](tree error) error {
	if err, ok := errors.AsType[T](tree); ok {
		return err
	}
	return nil
}

// hintFor chooses a hint by the error's kind.
func hintFor(err error) string {
	var (
		tool      *pgtool.ExitError
		notFound  *pgtool.NotFoundError
		role      *restore.RoleError
		missing   *restore.MissingRolesError
		extension *restore.ExtensionError
		displaced *restore.DisplacedError
	)
	if blocked := (*doctor.BlockedError)(nil); errors.As(err, &blocked) && blocked.Findings[0].Do != "" {
		return blocked.Findings[0].Do
	}
	switch {
	case errors.As(err, new(errUsage)):
		return "odx COMMAND --help shows how it is used"
	case errors.As(err, new(*scratch.UntrustedError)):
		return "if you know where the dump comes from, --trusted restores it as the server's superuser"
	case errors.Is(err, restore.ErrSuperuser):
		return "connect as a superuser (--username), or restore with one as the owner"
	case errors.As(err, &notFound):
		return fmt.Sprintf("install it (Debian: apt install postgresql-common && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y && apt install %s), "+
			"or name the folder that has it with --pg-bin", notFound.Package())
	case errors.As(err, &role):
		return "connect as a superuser or as a role with CREATEDB that is a member of the owner (--username), or name another --owner"
	case errors.As(err, &missing):
		return "--missing-roles skip leaves out what names them, --missing-roles create makes them"
	case errors.As(err, &extension):
		return "install the extension on the server, or connect as a superuser (--username) and name Odoo's role with --owner; --missing-extensions skip goes on without one that nothing depends on"
	case errors.Is(err, dump.ErrNoFilestore):
		return "name it with --filestore or --data-dir, or leave the files out with --no-filestore"
	case errors.Is(err, restore.ErrSame):
		return "--move gives the database back with its identity; --copy makes it a copy all the same"
	case errors.As(err, new(*odoo.ScriptError)):
		return "mend that script, or leave the modules' own out with --addons-path '' (odx's statements are run then); of an archive, --on-failure keep lets --resume go on behind the load"
	case errors.Is(err, restore.ErrNoDataFolder):
		return "name it with --data-dir, or data_dir in the file given with --config: by default it is in the home of the user that runs Odoo; if Odoo is to look there, make the folder; --no-filestore leaves the files out"
	case errors.Is(err, dump.ErrFilesMissing):
		return "without --strict the backup is made all the same, and the report names the files"
	case errors.Is(err, dump.ErrLinkDest):
		return "name another backup with --link-dest, or leave it out: all files are copied then"
	case errors.Is(err, dump.ErrNoRoom):
		return "make room there, or choose a target on another disk (TMPDIR names the folder for temporary files)"
	case errors.Is(err, dump.ErrLockedOut):
		return "dump while no module is being installed or updated, or allow more --retries"
	case errors.Is(err, dump.ErrEngine):
		return "leave --engine and --rate out, or choose --compress gzip, zstd (level 1 to 22) or none"
	case errors.Is(err, restore.ErrNoOlder):
		return "name a database whose filestore is below the data folder, or a path with a slash in it (./prod): a filestore folder, or a backup that is a folder"
	case errors.Is(err, dumpfmt.ErrInUse), errors.As(err, new(*restore.InUseError)):
		return "wait until it is done, or end it"
	case errors.Is(err, restore.ErrResume):
		return "odx clean lists what can be resumed, with its backup"
	case errors.Is(err, restore.ErrExists):
		return "choose another name, or replace what is there with --force (--keep-old keeps it under another name)"
	case errors.As(err, new(*restore.UnsureError)):
		return ""
	case errors.As(err, &displaced):
		return fmt.Sprintf("remove nothing: with Odoo stopped, move what is at %s aside, and then %s there", displaced.Place, displaced.Folder)
	case errors.Is(err, restore.ErrMadeMeanwhile):
		return "an Odoo that runs has made it, most likely: stop it, and run the same command again"
	case errors.Is(err, fs.ErrExist):
		return "choose another name, or remove it first: odx replaces nothing"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk is full: make room there, or choose a folder on another disk"
	case errors.Is(err, convert.ErrNoPlan):
		return "odx convert --help tells what is converted to what"
	case errors.Is(err, dumpfmt.ErrUnsupported):
		return "nothing was changed, and the backup may well be good: another odx, or PostgreSQL's own programs, may read it"
	case errors.Is(err, dumpfmt.ErrDigest):
		return "nothing was changed; odx verify tells all that is wrong; take another copy of the backup"
	case errors.Is(err, dumpfmt.ErrFormat):
		return "nothing was changed; take another copy of the backup"
	case errors.As(err, &tool):
		return hintForTool(tool)
	}
	return hintForServer(err)
}

// hintForServer chooses a hint by the server's SQLSTATE.
func hintForServer(err error) string {
	switch server.SQLState(err) {
	case "28P01":
		return "the password is wrong: set PGPASSWORD, ~/.pgpass, or db_password in the file given with --config"
	case "28000":
		return "the server does not let this role in: with peer authentication run odx as the system user of that name, or with --host and a password; see also --username and the server's pg_hba.conf"
	case "3D000":
		return "psql -l lists the databases of the server"
	case "53300":
		return "the server has no connection left: use fewer --jobs, or raise max_connections"
	case "42501":
		return "connect as the database's owner or as a superuser (--username); where the role may not connect to database postgres, name another with --maintenance-db"
	case "55P03":
		return "pg_stat_activity shows who holds the lock; a longer --lock-wait-timeout waits longer"
	case "53100":
		return "the server's disk is full"
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)) {
		return "is the server running there? --host and --port, or --config odoo.conf, say where it is"
	}
	return ""
}

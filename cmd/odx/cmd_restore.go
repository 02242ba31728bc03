package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"odx/parallel"
	"odx/parallel/restore"
)

func newRestoreCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "restore a backup into a new database, with its filestore",
		ArgsUsage: "SOURCE DBNAME",
		Description: "SOURCE is a folder that odx dump made, Odoo's zip, a bare directory-format archive, a\n" +
			"click-odoo folder, a custom-format .dump or a script (.sql, .sql.gz); it is only read.\n" +
			"DBNAME must not exist, unless --force says to replace it. Of a zip or script nothing is unpacked first: the order of rows\n" +
			"within a table may then differ from the source's, unless --ordered keeps it.\n\n" +
			"   odx restore /backup/prod-monday staging --neutralize -c /etc/odoo/odoo.conf\n\n" +
			"An upgraded database comes with its new files only. --filestore-from names the files from before,\n" +
			"which they are merged with: a database (its filestore below the data folder), or a path with a\n" +
			"slash in it, of a filestore folder or of a backup that is a folder. Of a dump without files in it the\n" +
			"new ones are taken from the folder filestore beside it.\n\n" +
			"   odx restore /backup/prod-18/upgraded.dump prod-18 --filestore-from prod -c /etc/odoo/odoo.conf\n\n" + exitCodes,
		Flags: join([]cli.Flag{
			jobsFlag("that load the database"),
			&cli.BoolFlag{Name: "copy", Usage: "give the database an identity of its own, as Odoo does for a copy (default)"},
			&cli.BoolFlag{Name: "move", Usage: "keep the identity: the source will not be used any more"},
			&cli.BoolFlag{Name: "reset-subscription", Usage: "forget the Enterprise subscription code"},
			&cli.BoolFlag{Name: "neutralize", Usage: "switch off mail, scheduled actions and other things that reach out"},
			&cli.StringFlag{Name: "addons-path", Usage: "`FOLDERS` of modules, separated by commas, whose own neutralize.sql is run (default: from odoo.conf)"},
			&cli.StringFlag{Name: "owner", Usage: "`ROLE` that is to own the database (default: db_user of odoo.conf, else that of the database it replaces, else the connecting role)"},
			&cli.BoolFlag{Name: "force", Usage: "replace the database DBNAME and its filestore, once the new ones are complete; the old ones are then removed"},
			&cli.BoolFlag{Name: "keep-old", Usage: "with --force: keep the old database and its filestore, both as DBNAME-old-DATE-TIME"},
			&cli.StringFlag{Name: "on-failure", Usage: "remove what is done, or keep it for --resume if the tables were made already (default: remove; keep with --resume)"},
			&cli.StringFlag{Name: "resume", Usage: "go on with the work of the run that failed or was killed, by its `ID` (odx clean lists them), from the same backup and with the same options"},
			&cli.StringFlag{Name: "collation", Value: restore.CollationOdoo, Usage: "odoo (as Odoo creates databases), source, or the `NAME` of a locale"},
			&cli.BoolFlag{Name: "no-privileges", Aliases: []string{"x", "no-acl"}, Usage: "leave the dump's GRANTs and default privileges out"},
			&cli.BoolFlag{Name: "no-tablespaces", Usage: "put everything into the database's default tablespace"},
			&cli.StringFlag{Name: "missing-roles", Value: "skip", Usage: "GRANTs, policies and user mappings of roles that the server lacks: skip (leave them out, and name them), create (make the roles, which may not log in), or fail; for a script, create and fail read it once more"},
			&cli.StringFlag{Name: "missing-extensions", Value: "fail", Usage: "extensions that the server does not have: fail before anything is made, or skip those that nothing in the dump depends on"},
			&cli.BoolFlag{Name: "ordered", Usage: "keep the order of rows when restoring a zip or script: one connection for each table"},
			&cli.BoolFlag{Name: "analyze", Value: true, Usage: "gather statistics at the end (--analyze=false leaves it to autovacuum)"},
		}, filestoreFlags(), []cli.Flag{
			&cli.StringFlag{Name: "filestore-from", Category: groupFilestore, Usage: "merge the backup's files over those of `OLD`, a database or a path, which stays as it is"},
			&cli.BoolFlag{Name: "hardlink", Category: groupFilestore, Usage: "hard-link files instead of copying them where that is one file system and their owner and mode are right: who may write them then writes the backup's too"},
		}, connectionFlags(), outputFlags()),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			o, err := restoreOptions(c)
			if err != nil {
				return err
			}
			return runRestore(c.Context, o, ui)
		},
	}
}

// restoreOptions reads everything that the command line says.
func restoreOptions(c *cli.Context) (o restore.Options, err error) {
	source, database, err := twoArguments(c)
	if err != nil {
		return o, err
	}
	if source == "-" {
		return o, usagef("a backup cannot be read from standard input: a zip has its directory at its end, and parts of a backup are read more than once")
	}
	cn, err := resolveConnection(c, database)
	if err != nil {
		return o, err
	}
	if o.Filestore, err = cn.filestorePath(c, cn.database); err != nil {
		return o, err
	}
	o.FilestoreGuessed = !c.IsSet("filestore") && cn.dataDirNamed(c) == ""
	o.HardLink = c.Bool("hardlink")
	if o.FilestoreFrom, err = cn.olderFilestore(c); err != nil {
		return o, err
	}
	if o.Filestore == "" && (o.HardLink || o.FilestoreFrom != "") {
		return o, usagef("--filestore-from and --hardlink are about restoring a filestore, which --no-filestore leaves out")
	}
	if c.Bool("copy") && c.Bool("move") {
		return o, usagef("give one of --copy and --move")
	}
	if o.Jobs, err = jobsOf(c); err != nil {
		return o, err
	}
	if len(cn.database) > 63 {
		return o, usagef("database %q: names have at most 63 bytes", cn.database)
	}
	if o.Source, err = filepath.Abs(source); err != nil {
		return o, err
	}
	o.Server, o.Database, o.Finder, o.Maint = cn.settings, cn.database, cn.finder, c.String("maintenance-db")
	o.Owner = c.String("owner")
	if o.Owner == "" {
		o.Owner = cn.conf.DBUser
	}
	o.Force, o.KeepOld = c.Bool("force"), c.Bool("keep-old")
	if o.KeepOld && !o.Force {
		return o, usagef("--keep-old says what becomes of the database that --force replaces: give both")
	}
	o.Resume = c.String("resume")
	switch c.String("on-failure") {
	case "":
		o.Keep = o.Resume != ""
	case "keep":
		o.Keep = true
	case "remove":
	default:
		return o, usagef("--on-failure %q: give remove or keep", c.String("on-failure"))
	}
	o.Collation = c.String("collation")
	o.NoPrivileges = c.Bool("no-privileges")
	o.NoTablespaces = c.Bool("no-tablespaces")
	if o.MissingRoles, err = restore.ParseMissingRoles(c.String("missing-roles")); err != nil {
		return o, usagef("--missing-roles %v", err)
	}
	if o.SkipExtensions, err = skipOrFail(c, "missing-extensions"); err != nil {
		return o, err
	}
	o.Copy, o.IdentityGiven = !c.Bool("move"), c.IsSet("copy") || c.IsSet("move")
	o.Subscription = c.Bool("reset-subscription")
	o.Neutralize = c.Bool("neutralize")
	o.Addons = cn.conf.AddonsPath
	if c.IsSet("addons-path") {
		if !o.Neutralize {
			return o, usagef("--addons-path has the modules' own statements for --neutralize: give both")
		}
		o.Addons = splitList(c.String("addons-path"))
	}
	o.Unaccent, o.HTTPPort = cn.conf.Unaccent, cn.conf.HTTPPort
	o.Analyze, o.Ordered = c.Bool("analyze"), c.Bool("ordered")
	o.Environ = os.Environ()
	return o, nil
}

func skipOrFail(c *cli.Context, flag string) (skip bool, err error) {
	switch c.String(flag) {
	case "skip":
		return true, nil
	case "fail":
		return false, nil
	}
	return false, usagef("--%s %q: give skip or fail", flag, c.String(flag))
}

func runRestore(ctx context.Context, o restore.Options, ui *ui) error {
	defer limitMemory(ctx, o.Jobs)()
	o.Progress = &parallel.Progress{}
	o.Warn = ui.warn
	stop := ui.show(o.Progress)
	report, err := restore.Run(ctx, o)
	stop()
	if err != nil {
		return err
	}
	ui.keptOld(report.Replaced)
	return ui.report(report, report.Losses(), func() { ui.restoreSummary(report) })
}

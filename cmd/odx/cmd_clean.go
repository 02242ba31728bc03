package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"odx/dumpfmt"
	"odx/parallel/restore"
	"odx/parallel/server"
)

func newCleanCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "clean",
		Usage:     "remove what a killed odx left behind",
		ArgsUsage: "[FOLDER ...]",
		Description: "Lists folders and files named odx-tmp-* in the given FOLDERs, in the folder for temporary files and\n" +
			"in Odoo's filestore folder, and databases named odx-tmp-* on the server, that no running odx works on.\n" +
			"With --yes they are removed, and so are roles that --missing-roles create has made for such a\n" +
			"database, unless something else uses them; those that stay are named. So are roles whose database\n" +
			"an odx clean has removed that was killed before it came to them.\n\n" +
			"   odx clean /backup --yes",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "remove them"},
			&cli.BoolFlag{Name: "no-server", Usage: "look at folders only, and at Odoo's filestore folder if --data-dir names it: work that odx restore --resume goes on with has files there"},
			&cli.StringFlag{Name: "data-dir", Usage: "Odoo's data `FOLDER` (default: from odoo.conf, else Odoo's own default)"},
		}, connectionFlags(), outputFlags()),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			return runClean(c.Context, c, ui)
		},
	}
}

// leftover is something that a killed odx left behind.
type leftover struct {
	Kind      string             `json:"kind"` // folder, file, database or role
	Name      string             `json:"name"`
	About     string             `json:"about,omitempty"`     // of what and from when it is
	Displaced string             `json:"displaced,omitempty"` // where the files of a database are that is not theirs
	Record    *restore.Record    `json:"record,omitempty"`    // of a database
	Roles     []restore.RoleLeft `json:"roles,omitempty"`     // that were made for a database that was removed; or the role itself, if it stays
	Foreign   bool               `json:"foreign,omitempty"`   // perhaps in use by another machine, and left alone
	Removed   bool               `json:"removed"`
}

func runClean(ctx context.Context, c *cli.Context, ui *ui) error {
	cn, err := resolveConnection(c, "")
	if err != nil {
		return err
	}
	folders := append(c.Args().Slice(), os.TempDir())
	// Without the server nobody knows which of them a restore is to go on with.
	if !c.Bool("no-server") || c.IsSet("data-dir") {
		folders = append(folders, cn.filestores(c)...)
	}
	for _, dir := range folders { // before anything is removed elsewhere
		if _, err := os.ReadDir(dir); err != nil {
			return fmt.Errorf("look into %s: %w", dir, err)
		}
	}
	found, err := cleanAll(ctx, c, cn, folders)
	if err != nil {
		if !ui.json {
			ui.listLeftovers(found)
		}
		return withReport{err, found}
	}
	return ui.report(found, false, func() {
		ui.listLeftovers(found)
		if len(found) == 0 {
			ui.say("odx: nothing is left over")
		} else if !c.Bool("yes") && slices.ContainsFunc(found, func(l leftover) bool { return !l.Foreign }) {
			ui.say("odx: hint: odx clean --yes removes them; odx restore --resume goes on with a database that is to become another")
		}
	})
}

// cleanAll gives what was found also with an error.
func cleanAll(ctx context.Context, c *cli.Context, cn *connection, folders []string) (found []leftover, err error) {
	found = []leftover{}
	if !c.Bool("no-server") { // first: it may put folders back
		more, err := cleanServer(ctx, cn.settings, c.String("maintenance-db"), c.Bool("yes"))
		if found = append(found, more...); err != nil {
			return found, err
		}
	}
	for _, dir := range folders {
		more, err := cleanFolder(dir, c.Bool("yes"))
		if found = append(found, more...); err != nil {
			return found, err
		}
	}
	return found, nil
}

func (u *ui) listLeftovers(found []leftover) {
	for _, l := range found {
		verb := "found"
		if l.Removed {
			verb = "removed"
		}
		u.say("%s %s %s%s", verb, l.Kind, l.Name, l.about())
		for _, r := range l.Roles {
			u.say("%s", aboutRole(r))
		}
	}
}

func (l *leftover) about() (text string) {
	if l.About != "" {
		text = " (" + l.About + ")"
	}
	if l.Displaced != "" && !l.Removed {
		text += "; its run was killed while it put the filestore in place, and what " + l.Displaced + " has is to be moved: odx clean --yes does it"
	}
	if l.Record != nil && len(l.Record.Roles) > 0 && !l.Removed {
		text += "; roles were made for it: " + strings.Join(l.Record.Roles, ", ")
	}
	return text
}

func aboutRole(r restore.RoleLeft) string {
	if r.Stays == "" {
		return fmt.Sprintf("removed role %s, which was made for it", r.Name)
	}
	return fmt.Sprintf("left role %s, which was made for it: %s; if it is of no use: DROP ROLE", r.Name, r.Stays)
}

func cleanFolder(dir string, remove bool) (found []leftover, err error) {
	left, foreign, err := dumpfmt.Leftovers(dir)
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", dir, err)
	}
	for _, l := range foreign {
		found = append(found, leftover{Kind: kindOf(l), Name: l.Path, Foreign: true,
			About: "another machine may be at work on it, whose locks this one does not see: remove it there, or by hand"})
	}
	for _, l := range left {
		entry := leftover{Kind: kindOf(l), Name: l.Path}
		if remove {
			if err := l.Remove(); err != nil {
				return append(found, entry), fmt.Errorf("remove %s: %w", l.Path, err)
			}
			entry.Removed = true
		}
		found = append(found, entry)
	}
	return found, nil
}

func kindOf(l dumpfmt.Leftover) string {
	if l.IsDir {
		return "folder"
	}
	return "file"
}

func cleanServer(ctx context.Context, settings server.Settings, maint string, remove bool) (found []leftover, err error) {
	if maint == "" {
		maint = "postgres"
	}
	admin, err := settings.Open(ctx, maint, "odx clean")
	if err != nil {
		return nil, errors.Join(err, errors.New("with --no-server only folders are looked at"))
	}
	defer admin.Close()
	list, err := restore.Leftovers(ctx, admin)
	if err != nil {
		return nil, fmt.Errorf("look for databases: %w", err)
	}
	for _, u := range list {
		entry := leftover{Kind: "database", Name: u.Name, About: u.Describe(time.Now()), Displaced: u.Displaced(), Record: u.Record}
		if remove {
			entry.Roles, err = u.Remove(ctx, settings, admin)
			if errors.As(err, new(*restore.InUseError)) { // somebody has just begun
				continue
			}
			if err != nil {
				return append(found, entry), fmt.Errorf("drop database %q: %w", u.Name, err)
			}
			entry.Removed = true
		}
		found = append(found, entry)
	}
	orphans, err := cleanRoles(ctx, admin, remove)
	return append(found, orphans...), err
}

// cleanRoles looks for roles whose database was removed by a run that was killed
// before it came to them.
func cleanRoles(ctx context.Context, admin *server.Session, remove bool) (found []leftover, err error) {
	list, err := restore.OrphanRoles(ctx, admin)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		entry := leftover{Kind: "role", Name: o.Name, About: "made for database " + o.Database + ", which is gone"}
		if remove {
			left, err := o.Remove(ctx, admin)
			if err != nil {
				return append(found, entry), err
			}
			entry.Removed = len(left) == 0 || left[0].Stays == ""
			if !entry.Removed {
				entry.Roles = left
			}
		}
		found = append(found, entry)
	}
	return found, nil
}

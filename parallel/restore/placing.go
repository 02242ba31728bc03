package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"odx/dumpfmt"
	"odx/parallel/server"
)

// Placing says which folders a restore exchanges when it gives the database its
// name. It is written down before: of a run that is killed in between, it tells
// whether the folders belong to the database. As long as the database under
// construction has its temporary name, nothing has taken place, and the folders
// are taken back.
type Placing struct {
	Target string `json:"target"`           // the filestore's final place
	Temp   string `json:"temp"`             // where the new files are under construction
	ID     string `json:"id"`               // of that folder, see dumpfmt.FolderID
	Old    string `json:"old,omitempty"`    // where the old files go; "" if there are none
	OldID  string `json:"old_id,omitempty"` // of the folder with these
	Begun  bool   `json:"begun,omitempty"`
}

// planPlacing notes the folders in the record.
func (r *run) planPlacing() {
	if r.files == nil {
		return
	}
	p := &Placing{Target: r.Filestore, Temp: r.files.Path(), ID: dumpfmt.FolderID(r.files.Path())}
	if r.old.files {
		p.Old, p.OldID = r.old.folder, dumpfmt.FolderID(r.Filestore)
	}
	r.keeping.record.Files = p
}

// beginPlacing writes down that the folders are being exchanged.
func (r *run) beginPlacing(ctx context.Context) error {
	if r.keeping.record.Files == nil {
		return nil
	}
	r.keeping.record.Files.Begun = true
	return r.target.note(ctx, &r.keeping.record)
}

// endPlacing writes down that the folders are where they were, for a database that
// is kept: one that nobody removes for weeks must not have a say in what becomes of
// a later restore's. An interruption has cost the session. That it cannot be written
// is no matter, see isPlaced.
func (r *run) endPlacing() {
	if r.keeping.record.Files == nil {
		return
	}
	r.keeping.record.Files.Begun = false
	_ = r.inNewSession(func(ctx context.Context, admin *server.Session) error {
		return (&target{admin: admin, temp: r.target.temp}).note(ctx, &r.keeping.record)
	})
}

// isPlaced tells whether folders are not where they were before.
func (p *Placing) isPlaced() bool {
	return p != nil && p.Begun && p.ID != "" && (dumpfmt.FolderID(p.Target) == p.ID ||
		p.Old != "" && dumpfmt.FolderID(p.Old) == p.OldID)
}

// takeBack puts the folders where they were before.
func (p *Placing) takeBack() error {
	if dumpfmt.FolderID(p.Target) == p.ID {
		if err := dumpfmt.MoveDir(p.Target, p.Temp); err != nil {
			return fmt.Errorf("take the new filestore back: %w", err)
		}
	}
	if p.Old == "" || dumpfmt.FolderID(p.Old) != p.OldID {
		return nil
	}
	if _, err := os.Lstat(p.Target); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("something else is at the place of the old filestore (%w): %w", fs.ErrExist, &DisplacedError{Folder: p.Old, Place: p.Target})
	}
	if err := dumpfmt.MoveDir(p.Old, p.Target); err != nil {
		return fmt.Errorf("put the old filestore back: %w", err)
	}
	return nil
}

// settle puts right what a killed run has left halfway of an exchange for this
// database. Its claim is this run's now, so none is under way.
func (r *run) settle(ctx context.Context) error {
	list, err := underConstruction(ctx, r.target.admin)
	if err != nil {
		return err
	}
	for _, u := range list {
		if u.Record == nil || u.Record.Database != r.Database || u.isReplaced() || !u.Record.Files.isPlaced() {
			continue
		}
		if err := u.Record.Files.takeBack(); err != nil {
			return err
		}
		r.warn("an earlier restore was killed while it put the filestore in place: the folders are again as they were before")
	}
	return nil
}

// isReplaced tells whether it is a database that another has taken the place of.
func (u *Unfinished) isReplaced() bool { return strings.HasSuffix(u.Name, oldSuffix) }

// Displaced tells where the files of the database are that a killed run was
// about to replace; "" if they are in their place. Remove puts them back.
func (u *Unfinished) Displaced() string {
	if u.Record == nil || u.isReplaced() || !u.Record.Files.isPlaced() {
		return ""
	}
	if u.Record.Files.Old == "" {
		return u.Record.Files.Target
	}
	return u.Record.Files.Old
}

// Describe says, in a few words, of what and from when it is; "" if it has no
// record.
func (u *Unfinished) Describe(at time.Time) string {
	if u.Record == nil {
		return ""
	}
	age := at.Sub(u.Record.Began).Round(time.Minute)
	if u.isReplaced() {
		return fmt.Sprintf("%q, replaced %s ago", u.Record.Database, age)
	}
	return fmt.Sprintf("for %q, from %s, begun %s ago", u.Record.Database, u.Record.Source, age)
}

// hint is what a warning says beside the name.
func (u *Unfinished) hint() string {
	text := u.Describe(time.Now())
	if text == "" || u.isReplaced() {
		return text
	}
	return fmt.Sprintf(" (%s; odx restore --resume %s goes on with it)", text, strings.TrimPrefix(u.Name, TempPrefix))
}

// Remove drops the database, with the old filestore if it is one that was
// replaced, and the roles that were made for it, as far as they can be. Folders
// that a killed run has exchanged halfway are put back before. The error is an
// *InUseError if an odx works on it; nothing is done then.
func (u *Unfinished) Remove(ctx context.Context, settings server.Settings, admin *server.Session) (roles []RoleLeft, err error) {
	if u.Record == nil {
		return nil, DropTemp(ctx, settings, admin, u.Name)
	}
	if err := claim(ctx, admin, u.Record.Database, ""); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release(context.WithoutCancel(ctx), admin, u.Record.Database)) }()
	exists, err := databaseExists(ctx, admin, u.Name)
	if err != nil || !exists {
		return nil, err
	}
	if err := u.removeFiles(); err != nil {
		return nil, err
	}
	roles, err = u.findRoles(ctx, admin)
	if err != nil {
		return nil, err
	}
	if err := markRoles(ctx, admin, roles, u.Name); err != nil {
		return nil, err
	}
	if err := DropTemp(ctx, settings, admin, u.Name); err != nil {
		return nil, err
	}
	if u.hook != nil {
		u.hook("database dropped")
	}
	return roles, dropRoles(ctx, admin, roles)
}

func (u *Unfinished) removeFiles() error {
	p := u.Record.Files
	switch {
	case u.isReplaced():
		if p == nil || p.OldID == "" || dumpfmt.FolderID(p.Old) != p.OldID {
			return nil
		}
		if left, err := dumpfmt.DiscardDir(p.Old); err != nil {
			return fmt.Errorf("remove the old filestore, %s: %w", left, err)
		}
		return nil
	case p.isPlaced():
		return p.takeBack()
	}
	return nil
}

package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"odx/dumpfmt"
	"odx/parallel/filestore"
	"odx/parallel/server"
)

// connect opens the session that creates, names and drops databases.
func (r *run) connect(ctx context.Context) (*server.Session, error) {
	r.target = &target{temp: tempName(), final: r.Database, owner: r.Owner}
	if r.Resume != "" {
		r.target.temp = TempPrefix + strings.TrimPrefix(r.Resume, TempPrefix)
	}
	if r.Maint != "" {
		return r.Server.Open(ctx, r.Maint, r.announce())
	}
	r.Maint = "postgres"
	admin, err := r.Server.Open(ctx, r.Maint, r.announce())
	if server.SQLState(err) == "3D000" { // no such database
		r.Maint = "template1"
		return r.Server.Open(ctx, r.Maint, r.announce())
	}
	return admin, err
}

// oldestServer is the oldest release that a backup is restored into.
const oldestServer = 13

// knock finds out whether the server lets us in and is new enough, before a large
// backup is read.
func (r *run) knock(ctx context.Context) error {
	s, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Major() < oldestServer {
		return fmt.Errorf("the server is PostgreSQL %s: odx restores into %d or newer", s.VersionTxt, oldestServer)
	}
	return nil
}

// preflight finds out, before anything is made, what would fail later.
func (r *run) preflight(ctx context.Context, admin *server.Session) (l locale, err error) {
	t := r.target
	t.admin = admin
	me, err := currentUser(ctx, admin)
	if err != nil {
		return l, err
	}
	if err := r.checkOldDatabase(ctx, admin, me); err != nil {
		return l, err
	}
	if t.owner == "" {
		t.owner = me
	}
	if t.owner != me {
		r.role = t.owner
	}
	if r.power, err = t.checkRoles(ctx); err != nil {
		return l, err
	}
	if err := r.checkMissing(ctx, admin); err != nil {
		return l, err
	}
	if err := r.checkTablespaces(ctx, admin); err != nil {
		return l, err
	}
	if r.tool, err = r.Finder.PgRestore(ctx, r.source.needsMajor(), admin.Major()); err != nil {
		return l, err
	}
	if !hasOdoo(r.source.toc) {
		if err := r.refuseNeutralizing(); err != nil {
			return l, err
		}
	}
	if err := r.refuseTwoParts(); err != nil {
		return l, err
	}
	if record := r.source.record; record != nil && len(record.Archive.Excluded) > 0 {
		r.warn("the backup was made without the rows of tables that match %s", strings.Join(record.Archive.Excluded, ", "))
	}
	if err := r.checkFilestore(); err != nil {
		return l, err
	}
	if r.settings, err = fastSettings(ctx, admin, r.Server.Local(), r.Jobs); err != nil {
		return l, err
	}
	l, warning, err := pickLocale(ctx, admin, r.Collation, r.source)
	if err != nil {
		return l, err
	}
	if warning != "" {
		r.warn("%s", warning)
	}
	r.report.Database, r.report.Owner, r.report.Server = t.final, t.owner, admin.VersionTxt
	r.report.Tool = r.tool.Path + " " + r.tool.Version.Text
	r.report.Locale, r.report.Options = l.String(), r.settings
	return l, r.nameLeftovers(ctx, admin)
}

func (r *run) nameLeftovers(ctx context.Context, admin *server.Session) error {
	list, err := Leftovers(ctx, admin)
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, u := range list {
		if u.Name == r.target.temp {
			continue
		}
		r.warn("left over from a run that failed or was killed: database %s%s; remove it with odx clean --yes", u.Name, u.hint())
	}
	// Where the folder for temporary files cannot be listed there is nothing to name.
	_ = r.nameLeftFolders(os.TempDir(), dumpfmt.Leftover.Notice)
	return nil
}

// nameLeftFolders names what other runs have left in a folder.
func (r *run) nameLeftFolders(parent string, notice func(dumpfmt.Leftover) string) error {
	leftovers, _, err := dumpfmt.Leftovers(parent)
	for _, l := range leftovers {
		r.warn("%s", notice(l))
	}
	return err
}

// filesNotice is about a folder beside filestores, which may have been left on purpose.
func filesNotice(l dumpfmt.Leftover) string {
	return fmt.Sprintf("left over from another run: %s; odx clean tells whether odx restore --resume can go on with it, odx clean --yes removes it", l.Path)
}

// checkFilestore makes sure that the filestore can be put where it belongs,
// with the owner that Odoo needs.
func (r *run) checkFilestore() (err error) {
	if r.Filestore == "" {
		return nil
	}
	if !r.source.hasFilestore() {
		r.warn("the backup has no filestore: attachments that are files will be missing")
		r.warnOfOldFiles()
		r.Filestore = ""
		return nil
	}
	if r.source.store.Link != "" {
		r.warn("%s", r.source.store)
	}
	if err := r.checkGuess(); err != nil {
		return err
	}
	if err := r.checkOldFiles(); err != nil {
		return err
	}
	if r.give, err = filestore.OwnerOf(filepath.Dir(r.Filestore)); err != nil {
		return fmt.Errorf("read the owner of the data folder: %w", err)
	}
	if r.give, err = filestore.Settle(filepath.Dir(r.Filestore), r.give); err != nil {
		return fmt.Errorf("give the files to the owner of the data folder: %w", err)
	}
	r.warnOfRoot()
	return nil
}

// warnOfRoot warns where the files would be root's because no folder tells whose they
// are to be: Odoo, as another user, could not write among them.
func (r *run) warnOfRoot() {
	store := filepath.Dir(r.Filestore)
	if _, err := os.Stat(store); r.give.UID == 0 && errors.Is(err, fs.ErrNotExist) {
		r.warn("%s does not exist, and the folder above is root's, so the files will be: if Odoo is another user's, give it that folder first (chown), or all of it after the restore (chown -R)", store)
	}
}

// ErrNoDataFolder is returned before any work when nothing says where the files of
// databases are, and they are not in Odoo's default place: made there, by root for
// example, they would be where no Odoo looks.
var ErrNoDataFolder = errors.New("nothing names Odoo's data folder, and there is none in the default place")

func (r *run) checkGuess() error {
	if !r.FilestoreGuessed {
		return nil
	}
	data := filepath.Dir(filepath.Dir(r.Filestore))
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNoDataFolder, data)
	}
	return nil
}

// createFilestore makes the temporary folder beside the final one.
func (r *run) createFilestore(ctx context.Context) error {
	if r.Filestore == "" {
		return nil
	}
	parent := filepath.Dir(r.Filestore)
	made, err := filestore.MakeParents(parent, r.give)
	if err != nil {
		return fmt.Errorf("create the data folder: %w", err)
	}
	r.parents = made
	if err := filestore.TryGive(parent, r.give); err != nil {
		return fmt.Errorf("give the files to the owner of the data folder: %w", err)
	}
	if taken, err := r.takeFiles(ctx); taken || err != nil {
		r.planPlacing()
		return err
	}
	if err := r.nameLeftFolders(parent, filesNotice); err != nil {
		return err
	}
	create := dumpfmt.CreateDir
	if r.old.files {
		create = dumpfmt.ReplaceDir
	}
	if r.files, err = create(r.Filestore); err != nil {
		return err
	}
	r.planPlacing()
	return nil
}

func currentUser(ctx context.Context, s *server.Session) (name string, err error) {
	err = s.Scan(ctx, "SELECT current_user", &name)
	return name, err
}

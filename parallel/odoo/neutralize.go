package odoo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odx/dumpfmt"
)

// NeutralizeReport says what was done to keep a copy from acting on the world.
type NeutralizeReport struct {
	Source NeutralizeSource `json:"source"`
	Ran    []NeutralizeStep `json:"ran"`
	// Modules are installed ones that nothing was run for: with scripts from
	// the addons path those without a script, which most modules do not need;
	// with odx's own statements those that are not part of Odoo Community, as
	// far as author and licence tell.
	Modules []string `json:"modules_without_neutralizer"`
	// Skipped names what would have been changed and could not be.
	Skipped []string `json:"skipped,omitempty"`
	// Warnings say what the user should look after.
	Warnings []string `json:"warnings,omitempty"`
}

// NeutralizeSource says whose statements were run.
type NeutralizeSource string

// Sources of neutralizing statements.
const (
	SourceAddons NeutralizeSource = "addons"     // the modules' own scripts
	SourceOdx    NeutralizeSource = "odx"        // odx's own statements
	SourceBoth   NeutralizeSource = "odx+addons" // no script of base was found: odx's own, then the scripts
)

// NeutralizeStep is one thing that was done.
type NeutralizeStep struct {
	What   string `json:"what"`             // "neutralize.sql" for a module's script
	Module string `json:"module,omitempty"` // whose script it was
	Rows   int64  `json:"rows"`             // changed
}

// baseModule is the module that every Odoo has. Its script switches off mail
// and scheduled actions, so without it nothing is neutralized.
const baseModule = "base"

// scriptSeries is the first Odoo whose modules have neutralizing scripts.
const scriptSeries = 16

// The series that odx's own statements were written for.
const (
	firstSeries = 14
	lastSeries  = 19
)

// Neutralize makes sure that the database no longer acts on the world outside:
// it sends and fetches no mail, runs no scheduled action, charges no card.
// Where the addons path holds the script of base, the modules' own scripts are
// run as Odoo runs them; beside them only storages of other files are dealt with. If the
// server refuses base's script, which modules may have taken columns from, or where there
// is none, odx runs statements of its
// own, which fit themselves to the tables and columns that exist, and then
// the scripts that were found.
//
// It all happens in tx, of which the caller must roll back everything after an
// error; that of a script is a *ScriptError.
func Neutralize(ctx context.Context, tx pgx.Tx, info Info, addons []string) (NeutralizeReport, error) {
	var report NeutralizeReport
	modules, err := readNeutralizeModules(ctx, tx)
	if err != nil {
		return report, fmt.Errorf("read ir_module_module: %w", err)
	}
	names := make([]string, len(modules))
	for i, m := range modules {
		names[i] = m.name
	}
	scripts, missing, err := fromAddons(addons, names)
	if err != nil {
		return report, err
	}
	if report.Source = sourceOf(scripts); report.Source == SourceAddons {
		report.warnOfAbsent(Absent(addons, missing))
	} else if len(addons) > 0 && info.Series.Major() >= scriptSeries {
		report.warn("the addons path has no neutralize.sql of base: odx's own statements were run instead of Odoo's")
	}
	if scripts, err = report.runFirst(ctx, tx, scripts, info.Series); err != nil {
		return report, err
	}
	if len(report.Skipped) > 0 {
		report.warn("not everything could be neutralized: %s", strings.Join(report.Skipped, "; "))
	}
	if err := report.runScripts(ctx, tx, scripts); err != nil {
		return report, err
	}
	if err := report.warnOfMailFile(ctx, tx); err != nil {
		return report, err
	}
	for _, m := range modules {
		if slices.Contains(missing, m.name) && (report.Source == SourceAddons || m.foreign) {
			report.Modules = append(report.Modules, m.name)
		}
	}
	slices.Sort(report.Modules)
	return report, nil
}

func (r *NeutralizeReport) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

func (r *NeutralizeReport) warnOfAbsent(modules []string) {
	if len(modules) > 0 {
		r.warn("installed modules that are not in the addons path: %s; "+
			"what their neutralize.sql would switch off, if they have one, is still on", strings.Join(modules, ", "))
	}
}

// runFirst runs what comes before the scripts of the other modules, which it gives:
// the script of base, or what stands for it.
func (r *NeutralizeReport) runFirst(ctx context.Context, tx pgx.Tx, scripts []moduleSQL, series dumpfmt.Series) (others []moduleSQL, err error) {
	base := slices.IndexFunc(scripts, func(m moduleSQL) bool { return m.Module == baseModule })
	if base < 0 {
		return scripts, r.runCore(ctx, tx, series)
	}
	others = slices.Delete(slices.Clone(scripts), base, base+1)
	refusal, err := r.runBase(ctx, tx, scripts[base])
	if err != nil {
		return nil, err
	}
	if refusal == nil {
		return others, r.runChanges(ctx, tx, series, storageChanges)
	}
	r.Source = SourceBoth
	r.warn("odx's own statements were run instead of those of base, which the server refused: %v", refusal)
	return others, r.runCore(ctx, tx, series)
}

// runBase runs the script of base. If the server refuses it, the database is as it
// was.
func (r *NeutralizeReport) runBase(ctx context.Context, tx pgx.Tx, base moduleSQL) (refusal, err error) {
	err = pgx.BeginFunc(ctx, tx, func(part pgx.Tx) error { return r.runScripts(ctx, part, []moduleSQL{base}) })
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && !errors.Is(err, errTransaction) {
		return err, nil
	}
	return nil, err
}

// warnOfMailFile warns of mail servers that are configured in a file, by OCA's
// mail_environment: what the file says of all of them counts before what the
// database says of one, of the one that reaches nobody as well.
func (r *NeutralizeReport) warnOfMailFile(ctx context.Context, q Querier) error {
	s, err := readSchema(ctx, q, "ir_mail_server")
	if err == nil && s.has("ir_mail_server", "server_env_defaults") {
		r.warn("mail servers are configured in a file here (mail_environment), and what its section [outgoing_mail] says "+
			"goes before the database: where this copy runs, give that section, or [outgoing_mail.%s], smtp_host = invalid, or mail may leave", deadServer)
	}
	return err
}

func sourceOf(scripts []moduleSQL) NeutralizeSource {
	switch {
	case slices.ContainsFunc(scripts, func(m moduleSQL) bool { return m.Module == baseModule }):
		return SourceAddons
	case len(scripts) > 0:
		return SourceBoth
	default:
		return SourceOdx
	}
}

// neutralizeModule is a module that Odoo would look for a script of.
type neutralizeModule struct {
	name    string
	foreign bool // not part of Odoo Community
}

// readNeutralizeModules reads the modules that Odoo neutralizes, base first.
func readNeutralizeModules(ctx context.Context, q Querier) ([]neutralizeModule, error) {
	s, err := readSchema(ctx, q, "ir_module_module")
	if err != nil {
		return nil, err
	}
	foreign := "false"
	if s.has("ir_module_module", "author", "license") {
		foreign = `coalesce(author, '') !~* 'odoo|openerp' OR author ~* 'odoo community|\moca\M' OR license LIKE 'OEEL%'`
	}
	rows, err := q.Query(ctx, `SELECT name, coalesce(`+foreign+`, false) FROM public.ir_module_module
WHERE state IN ('installed', 'to upgrade', 'to remove') ORDER BY name <> 'base', id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m neutralizeModule, err error) {
		err = row.Scan(&m.name, &m.foreign)
		return m, err
	})
}

// runScripts runs the modules' own scripts. They name their tables without a
// schema.
func (r *NeutralizeReport) runScripts(ctx context.Context, tx pgx.Tx, scripts []moduleSQL) error {
	if len(scripts) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `SET LOCAL search_path = public`); err != nil {
		return err
	}
	for _, m := range scripts {
		rows, err := m.run(ctx, tx)
		if err != nil {
			return err
		}
		r.Ran = append(r.Ran, NeutralizeStep{What: "neutralize.sql", Module: m.Module, Rows: rows})
	}
	return nil
}

package odoo

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
)

// change is one of odx's own neutralizing statements, as data. It is fitted to
// the tables and columns of a database, and changes nothing when it is run
// again.
type change struct {
	what   string // for the report
	from   int    // first series; 0: any
	until  int    // last series; 0: any
	table  string
	set    []assignment // those whose column does not exist are left out
	where  string       // of the rows, all if empty
	needs  []string     // columns that where reads: "column", or "table.column"
	given  []string     // columns that tell whether the database knows the thing at all
	remove bool         // the rows are deleted; nothing is set
	ensure bool         // a row that matches where is inserted if there is none
}

// assignment sets a column, or every column of its kind whose name matches.
type assignment struct {
	column string
	match  *regexp.Regexp
	except string // column that match does not mean
	kind   string // of the column; "" fits any
	value  string // SQL
}

// null empties columns.
func null(columns ...string) []assignment {
	var list []assignment
	for _, c := range columns {
		list = append(list, assignment{column: c, value: "NULL"})
	}
	return list
}

// flag sets a boolean column.
func flag(column string, value bool) assignment {
	return assignment{column: column, kind: kindBool, value: fmt.Sprint(value)}
}

// text sets a column of text.
func text(column, value string) assignment {
	return assignment{column: column, kind: kindText, value: "'" + strings.ReplaceAll(value, "'", "''") + "'"}
}

// applies reports whether the change is for the series. Between two yearly
// releases both are tried; an unknown series gets everything.
func (c change) applies(series dumpfmt.Series) bool {
	first := series.Major()
	last := first
	if series.SaaS() {
		last++
	}
	return !series.Known() || (c.from <= last && (c.until == 0 || c.until >= first))
}

// tables are those the change reads or writes.
func (c change) tables() []string {
	list := []string{c.table}
	for _, need := range slices.Concat(c.needs, c.given) {
		if table, _, other := strings.Cut(need, "."); other {
			list = append(list, table)
		}
	}
	return list
}

// missing returns the first of the columns that does not exist, "" if all do.
func (c change) missing(s schema, columns []string) string {
	for _, name := range columns {
		table, column, other := strings.Cut(name, ".")
		if !other {
			table, column = c.table, name
		}
		if !s.has(table, column) {
			return table + "." + column
		}
	}
	return ""
}

// fit returns the assignments that the table's columns allow. skipped says,
// for the report, what of it the table does not allow though it has the
// column; applicable is false where the change means nothing to the database.
func (c change) fit(s schema) (set []assignment, skipped []string, applicable bool) {
	if !s.has(c.table) || c.missing(s, c.given) != "" {
		return nil, nil, false
	}
	if name := c.missing(s, c.needs); name != "" {
		return nil, []string{fmt.Sprintf("%s: no column %s", c.what, name)}, false
	}
	for _, a := range c.set {
		for _, name := range a.columns(s[c.table]) {
			fitted, problem := a.fit(name, s[c.table][name])
			if problem != "" {
				skipped = append(skipped, fmt.Sprintf("%s: column %s.%s %s", c.what, c.table, name, problem))
				continue
			}
			set = append(set, fitted)
		}
	}
	return set, skipped, c.remove || len(set) > 0
}

// columns are the names of those that a sets and that exist, in order.
func (a assignment) columns(columns map[string]column) []string {
	if a.match == nil {
		if _, ok := columns[a.column]; ok {
			return []string{a.column}
		}
		return nil
	}
	var names []string
	for name, c := range columns {
		if c.Kind == a.kind && a.match.MatchString(name) && name != a.except {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fit adapts the assignment to a column, or says what is in the way.
func (a assignment) fit(name string, c column) (assignment, string) {
	a.column = pgx.Identifier{name}.Sanitize()
	switch {
	case a.kind != "" && c.Kind != a.kind:
		return a, "is of another type than expected"
	case a.value == "NULL" && c.Required && c.Kind == kindText:
		a.value = "''"
	case a.value == "NULL" && c.Required:
		return a, "may not be empty"
	}
	return a, ""
}

// run applies the change, and returns how many rows it changed.
func (c change) run(ctx context.Context, q Querier, set []assignment) (rows int64, err error) {
	table := pgx.Identifier{"public", c.table}.Sanitize()
	where := "true"
	if c.where != "" {
		where = "(" + c.where + ")"
	}
	var statements []string
	if c.remove {
		statements = append(statements, "DELETE FROM "+table+" AS t WHERE "+where)
	}
	if c.ensure {
		statements = append(statements, insertMissing(table, where, set))
	}
	if len(set) > 0 {
		statements = append(statements, updateDiffering(table, where, set))
	}
	for _, sql := range statements {
		tag, err := q.Exec(ctx, sql)
		if err != nil {
			return 0, err
		}
		rows += tag.RowsAffected()
	}
	return rows, nil
}

// updateDiffering sets the columns of those rows only where one differs, so
// that a second run finds nothing to do.
func updateDiffering(table, where string, set []assignment) string {
	var assign, differ []string
	for _, a := range set {
		assign = append(assign, a.column+" = "+a.value)
		differ = append(differ, "t."+a.column+" IS DISTINCT FROM "+a.value)
	}
	return "UPDATE " + table + " AS t SET " + strings.Join(assign, ", ") +
		" WHERE " + where + " AND (" + strings.Join(differ, " OR ") + ")"
}

// insertMissing inserts a row unless one matches.
func insertMissing(table, where string, set []assignment) string {
	var columns, values []string
	for _, a := range set {
		columns, values = append(columns, a.column), append(values, a.value)
	}
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(values, ", ") +
		" WHERE NOT EXISTS (SELECT FROM " + table + " AS t WHERE " + where + ")"
}

// lacking names the columns that an inserted row must fill and set does not.
func (c change) lacking(s schema, set []assignment) (names []string) {
	for name, col := range s[c.table] {
		quoted := pgx.Identifier{name}.Sanitize()
		isSet := slices.ContainsFunc(set, func(a assignment) bool { return a.column == quoted })
		if col.Required && !col.Filled && !isSet {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// runCore runs odx's own statements.
func (r *NeutralizeReport) runCore(ctx context.Context, q Querier, series dumpfmt.Series) error {
	if err := r.runChanges(ctx, q, series, coreChanges()); err != nil {
		return err
	}
	r.warnAboutSeries(series)
	return nil
}

func (r *NeutralizeReport) runChanges(ctx context.Context, q Querier, series dumpfmt.Series, changes []change) error {
	var tables []string
	for _, c := range changes {
		tables = append(tables, c.tables()...)
	}
	s, err := readSchema(ctx, q, tables...)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if !c.applies(series) {
			continue
		}
		set, skipped, applicable := c.fit(s)
		r.Skipped = append(r.Skipped, skipped...)
		if !applicable {
			continue
		}
		if names := c.lacking(s, set); c.ensure && len(names) > 0 {
			r.Skipped = append(r.Skipped, fmt.Sprintf("%s: a row of %s needs a value for %s", c.what, c.table, strings.Join(names, ", ")))
			c.ensure = false
		}
		rows, err := c.run(ctx, q, set)
		if err != nil {
			return fmt.Errorf("%s (table %s): %w", c.what, c.table, err)
		}
		r.Ran = append(r.Ran, NeutralizeStep{What: c.what, Rows: rows})
	}
	return nil
}

// warnAboutSeries says where odx's own statements may not be enough.
func (r *NeutralizeReport) warnAboutSeries(series dumpfmt.Series) {
	switch major := series.Major(); {
	case !series.Known():
		r.warn("the database does not say which Odoo it belongs to: what odx knows of any was neutralized")
	case major < firstSeries || major > lastSeries:
		r.warn("odx knows how to neutralize Odoo %d to %d, this is %s: what it found there of the same shape was neutralized; look for what else acts on the outside",
			firstSeries, lastSeries, series)
	}
}

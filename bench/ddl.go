package bench

import (
	"fmt"
	"regexp"
	"strings"
)

// allColumns returns every column of a table in order: id, the described ones,
// and who wrote the row when.
func allColumns(t *table) []column {
	var all []column
	if t.hasID() {
		all = append(all, column{name: "id", typ: "integer", notNull: true})
	}
	all = append(all, t.columns...)
	if t.log {
		all = append(all,
			column{name: "create_uid", typ: "integer", ref: "res_users", onDelete: 'n'},
			column{name: "create_date", typ: sqlTypes["ts"]},
			column{name: "write_uid", typ: "integer", ref: "res_users", onDelete: 'n'},
			column{name: "write_date", typ: sqlTypes["ts"]})
	}
	return all
}

// createTable returns the statements that make a table with its sequence, check
// constraints and comments, but no keys or indexes.
func createTable(t *table) string {
	var parts []string
	for _, c := range allColumns(t) {
		def := ident(c.name) + " " + c.typ
		if c.name == "id" && t.inherits != "" {
			def += " DEFAULT nextval(" + literal(ident(t.sequence())) + ")"
		}
		if c.fallback != "" {
			def += " DEFAULT " + c.fallback
		}
		if c.notNull {
			def += " NOT NULL"
		}
		parts = append(parts, def)
	}
	for _, c := range t.checks {
		parts = append(parts, "CONSTRAINT "+ident(shortName(c.name))+" CHECK ("+settled(c.def)+")")
	}
	sql := "CREATE TABLE " + ident(t.name) + " (" + strings.Join(parts, ", ") + ")"
	if t.inherits != "" {
		sql += " INHERITS (" + ident(t.inherits) + ")"
	} else if t.hasID() {
		sequence := ident(t.sequence())
		sql = fmt.Sprintf("CREATE SEQUENCE %s AS integer;\n%s;\nALTER SEQUENCE %s OWNED BY %s.id;\n"+
			"ALTER TABLE %s ALTER COLUMN id SET DEFAULT nextval(%s)",
			sequence, sql, sequence, ident(t.name), ident(t.name), literal(sequence))
	}
	return sql + ";\n" + comments(t)
}

var varcharIn = regexp.MustCompile(`(\w+) (NOT )?IN \(('[^']*'(?:, '[^']*')*)\)`)

// settled writes IN over a varchar column as pg_dump prints it after the first
// restore. PostgreSQL prints what it makes of IN in a form that it reads back
// as another, so a database that was never restored differs from its copy.
func settled(condition string) string {
	return varcharIn.ReplaceAllStringFunc(condition, func(in string) string {
		m := varcharIn.FindStringSubmatch(in)
		values := strings.Split(m[3], ", ")
		for i, v := range values {
			values[i] = "(" + v + "::character varying)::text"
		}
		return fmt.Sprintf("(%s)::text %s (ARRAY[%s])", m[1], choose(m[2] == "", "= ANY", "<> ALL"), strings.Join(values, ", "))
	})
}

// comments returns the statements for the comments that Odoo writes: labels on
// tables and columns, the definition on a constraint.
func comments(t *table) string {
	text := label(t.name)
	if t.rel {
		text = fmt.Sprintf("RELATION BETWEEN %s AND %s", t.columns[0].ref, t.columns[1].ref)
	}
	all := []string{fmt.Sprintf("COMMENT ON TABLE %s IS %s", ident(t.name), literal(text))}
	for _, c := range allColumns(t) {
		if c.name != "id" && !t.rel {
			all = append(all, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", ident(t.name), ident(c.name), literal(label(c.name))))
		}
	}
	for _, c := range t.checks {
		all = append(all, fmt.Sprintf("COMMENT ON CONSTRAINT %s ON %s IS %s", ident(shortName(c.name)), ident(t.name), literal("CHECK("+c.def+")")))
	}
	return strings.Join(all, ";\n")
}

// addKeys returns the statements for the primary key and the unique constraints.
func addKeys(t *table) string {
	key := "id"
	if t.rel {
		key = ident(t.columns[0].name) + ", " + ident(t.columns[1].name)
	}
	sql := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY (%s)", ident(t.name), ident(shortName(t.name+"_pkey")), key)
	for _, c := range t.uniques {
		name := ident(shortName(c.name))
		sql += fmt.Sprintf(";\nALTER TABLE %s ADD CONSTRAINT %s UNIQUE %s;\nCOMMENT ON CONSTRAINT %s ON %s IS %s",
			ident(t.name), name, c.def, name, ident(t.name), literal("unique"+c.def))
	}
	return sql
}

// createIndexes returns one statement per index that is not a key.
func (g *generation) createIndexes(t *table) []string {
	var all []string
	add := func(unique bool, name, def string) {
		if !g.trigrams && strings.Contains(def, "_trgm_ops") {
			return
		}
		g.result.Indexes++
		all = append(all, fmt.Sprintf("CREATE %sINDEX %s ON %s USING %s",
			choose(unique, "UNIQUE ", ""), ident(shortName(name)), ident(t.name), def))
	}
	for _, c := range t.columns {
		name := ident(c.name)
		switch c.index {
		case plainIndex:
			add(false, t.name+"__"+c.name+"_index", "btree ("+name+")")
		case partialIndex:
			expr := name
			if c.typ == "jsonb" {
				expr = "(" + name + " IS NOT NULL)"
			}
			add(false, t.name+"__"+c.name+"_index", "btree ("+expr+") WHERE "+name+" IS NOT NULL")
		case trigramIndex:
			expr := name
			if c.typ == "jsonb" {
				expr = "(jsonb_path_query_array(" + name + ", '$.*')::text)"
			}
			add(false, t.name+"__"+c.name+"_index", "gin ("+expr+" gin_trgm_ops)")
		}
	}
	for _, i := range t.indexes {
		add(i.unique, i.name, settled(i.def))
	}
	if t.rel {
		first, second := t.columns[0].name, t.columns[1].name
		add(false, t.name+"_"+second+"_"+first+"_idx", "btree ("+ident(second)+", "+ident(first)+")")
	}
	return all
}

var deleteActions = map[byte]string{'n': "SET NULL", 'c': "CASCADE", 'r': "RESTRICT"}

func foreignKeyName(t *table, c column) string {
	return ident(shortName(t.name + "_" + c.name + "_fkey"))
}

// addForeignKeys returns the statement that adds all foreign keys of a table,
// unchecked if they are to be checked later; "" if there are none.
func addForeignKeys(t *table, later bool) string {
	var parts []string
	for _, c := range allColumns(t) {
		if c.ref != "" {
			parts = append(parts, fmt.Sprintf("ADD CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s(id) ON DELETE %s%s",
				foreignKeyName(t, c), ident(c.name), ident(c.ref), deleteActions[c.onDelete], choose(later, " NOT VALID", "")))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "ALTER TABLE " + ident(t.name) + " " + strings.Join(parts, ", ")
}

// checkForeignKeys returns the statement that checks what addForeignKeys left.
func checkForeignKeys(t *table) []string {
	var parts []string
	for _, c := range allColumns(t) {
		if c.ref != "" {
			parts = append(parts, "VALIDATE CONSTRAINT "+foreignKeyName(t, c))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"ALTER TABLE " + ident(t.name) + " " + strings.Join(parts, ", ")}
}

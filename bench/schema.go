package bench

import (
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/jackc/pgx/v5"
)

// schema is the set of tables of one database, in the order they are created.
type schema struct {
	tables []*table
	byName map[string]*table
}

func newSchema() *schema { return &schema{byName: make(map[string]*table)} }

func (s *schema) add(t *table) error {
	if s.byName[t.name] != nil {
		return fmt.Errorf("table %s is described twice", t.name)
	}
	s.tables = append(s.tables, t)
	s.byName[t.name] = t
	return nil
}

// table is one table: what it is made of, and how many rows it gets.
type table struct {
	name     string
	rel      bool   // relation table of a many2many field: two keys, no id
	log      bool   // has create_uid, create_date, write_uid, write_date
	inherits string // parent table, whose sequence it shares
	firstID  int64  // id of its first row
	columns  []column
	uniques  []constraint
	checks   []constraint
	indexes  []index
	size     rowRule
	rows     int64 // decided by the plan
	rowBytes int64 // mean size of a row as COPY text; decided by the plan
}

// column is one column besides id.
type column struct {
	name     string
	typ      string // PostgreSQL's name
	notNull  bool
	fallback string // DEFAULT expression, or ""
	ref      string // table referred to, or ""
	onDelete byte   // 'n' SET NULL, 'c' CASCADE, 'r' RESTRICT
	index    indexKind
	value    string  // where its values come from, "" for the usual ones of its name and type
	nulls    float64 // share of NULLs in percent, below zero for the usual one
}

type indexKind int

const (
	noIndex indexKind = iota
	plainIndex
	partialIndex // only the rows that are not NULL
	trigramIndex
)

type constraint struct{ name, def string }

// index is an index that does not fit into a word beside its column.
type index struct {
	name, def string
	unique    bool
}

// rowRule says how many rows a table gets: a fixed number, a share of the
// database's size, a multiple of another table, or one per item of a list.
type rowRule struct {
	fixed    int64
	share    float64 // thousandths of the size
	min, max int64
	times    int64
	of       string
	list     string
}

// ident quotes a name.
func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal quotes a string.
func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// maxName is the length of a name in PostgreSQL.
const maxName = 63

// shortName cuts a name that is too long as Odoo does: the beginning and a
// checksum of the whole.
func shortName(name string) string {
	if len(name) <= maxName {
		return name
	}
	return fmt.Sprintf("%s_%08x", name[:maxName-9], crc32.ChecksumIEEE([]byte(name)))
}

// label makes the comment of a column or table from its name, as Odoo's labels
// usually read.
func label(name string) string {
	switch name {
	case "create_uid":
		return "Created by"
	case "write_uid":
		return "Last Updated by"
	case "create_date":
		return "Created on"
	case "write_date":
		return "Last Updated on"
	}
	words := strings.Fields(strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " "))
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// hasID tells whether the table has an id of its own.
func (t *table) hasID() bool { return !t.rel }

// sequence is the name of the sequence that gives the table's ids.
func (t *table) sequence() string {
	if t.inherits != "" {
		return t.inherits + "_id_seq"
	}
	return t.name + "_id_seq"
}

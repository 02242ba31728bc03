package restore

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// locale is what CREATE DATABASE is told about collation.
type locale struct {
	provider       string // libc, icu, builtin; "" leaves the word out (before 15)
	collate, ctype string
	locale         string // of icu and builtin
	rules          string // of icu, added to the locale's; since 16
}

func (l locale) clause() string {
	parts := []string{"LC_COLLATE " + literal(l.collate), "LC_CTYPE " + literal(l.ctype)}
	if l.provider != "" {
		parts = append(parts, "LOCALE_PROVIDER "+literal(l.provider))
	}
	switch l.provider {
	case "icu":
		parts = append(parts, "ICU_LOCALE "+literal(l.locale))
		if l.rules != "" {
			parts = append(parts, "ICU_RULES "+literal(l.rules))
		}
	case "builtin":
		parts = append(parts, "BUILTIN_LOCALE "+literal(l.locale))
	}
	return strings.Join(parts, " ")
}

func (l locale) String() string {
	s := fmt.Sprintf("LC_COLLATE %s, LC_CTYPE %s", l.collate, l.ctype)
	if l.locale != "" {
		s += fmt.Sprintf(", %s %s", l.provider, l.locale)
	}
	if l.rules != "" {
		s += " with rules " + l.rules
	}
	return s
}

// Collations that have a meaning of their own; anything else is the name of a
// locale of the operating system.
const (
	CollationOdoo   = "odoo"   // as Odoo creates databases
	CollationSource = "source" // as the source had it
)

// pickLocale decides the new database's locale.
func pickLocale(ctx context.Context, admin *server.Session, collation string, src *source) (l locale, warning string, err error) {
	if admin.Version >= 150000 {
		l.provider = "libc"
	}
	switch collation {
	case CollationOdoo, "":
		l.collate = "C"
		l.ctype, warning, err = odooCtype(ctx, admin)
		if from, ok := src.locale(); ok && err == nil && (from.collate != l.collate || from.ctype != l.ctype || from.locale != "") {
			warning = join(warning, fmt.Sprintf("the source had %s, the new database has %s, as Odoo creates it (--collation source keeps the source's)", from, l))
		}
		return l, warning, err
	case CollationSource:
		from, ok := src.locale()
		if !ok {
			return l, "", fmt.Errorf("--collation source: the backup does not say what the source had")
		}
		if admin.Version < 150000 && from.locale != "" {
			return l, "", fmt.Errorf("--collation source: the source had %s, which this server does not know", from)
		}
		if admin.Version < 160000 && from.rules != "" {
			return l, "", fmt.Errorf("--collation source: the source had %s, and this server knows no rules", from)
		}
		if admin.Version < 150000 {
			from.provider = ""
		} else if from.provider == "" {
			from.provider = "libc"
		}
		return from, "", nil
	}
	l.collate, l.ctype = collation, collation
	return l, "", nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// odooCtype gives template0's LC_CTYPE, which Odoo leaves as it is. With C,
// lower() and unaccent know no letter beyond ASCII: a UTF-8 locale is looked
// for instead.
func odooCtype(ctx context.Context, admin *server.Session) (ctype, warning string, err error) {
	var found *string
	err = admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT d.datctype,
			(SELECT collctype FROM pg_catalog.pg_collation
			 WHERE collencoding IN (-1, 6) AND collctype ~* 'utf-?8$'
			 ORDER BY collctype !~* '^C\.', collctype !~* '^en_US', collctype LIMIT 1)
			FROM pg_catalog.pg_database d WHERE d.datname = 'template0'`).Scan(&ctype, &found)
	})
	if err != nil || (ctype != "C" && ctype != "POSIX") {
		return ctype, "", err
	}
	if found == nil {
		return ctype, "LC_CTYPE is C, and the server has no UTF-8 locale: upper and lower case of accented letters will be wrong", nil
	}
	return *found, "", nil
}

var createDatabase = regexp.MustCompile(`(LOCALE_PROVIDER|LC_COLLATE|LC_CTYPE|ICU_LOCALE|ICU_RULES|BUILTIN_LOCALE|LOCALE) = ('(?:[^']|'')*'|\w+)`)

// locale tells what the source database had: from odx.json, else from the
// archive's DATABASE entry.
func (s *source) locale() (locale, bool) {
	if s.record != nil && s.record.Database.Collate != "" { // a record made of a zip does not know
		d := s.record.Database
		return locale{provider: d.LocaleProvider, collate: d.Collate, ctype: d.Ctype, locale: d.Locale, rules: d.ICURules}, true
	}
	for i := range s.toc.Entries {
		if e := &s.toc.Entries[i]; e.Desc == "DATABASE" {
			return parseLocale(e.Defn.String)
		}
	}
	return locale{}, false
}

func parseLocale(defn string) (l locale, ok bool) {
	for _, m := range createDatabase.FindAllStringSubmatch(defn, -1) {
		value := m[2]
		if strings.HasPrefix(value, "'") {
			value = strings.ReplaceAll(value[1:len(value)-1], "''", "'")
		}
		switch m[1] {
		case "LOCALE_PROVIDER":
			l.provider = value
		case "LC_COLLATE":
			l.collate = value
		case "LC_CTYPE":
			l.ctype = value
		case "LOCALE": // both of them
			l.collate, l.ctype = value, value
		case "ICU_RULES":
			l.rules = value
		default:
			l.locale = value
		}
	}
	return l, l.collate != ""
}

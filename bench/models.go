package bench

import (
	"fmt"
	"strings"
)

// complete adds the tables that others refer to, as small tables of their own,
// and then more invented ones. The tables do not depend on the seed: databases
// of the same number of tables differ in their rows only.
func complete(s *schema, invented int) error {
	for i := 0; i < len(s.tables); i++ { // grows on the way
		for _, c := range s.tables[i].columns {
			if c.ref != "" && s.byName[c.ref] == nil {
				if err := addModel(s, c.ref, int64(4+len(c.ref)%12)); err != nil {
					return err
				}
			}
		}
	}
	r := seeded(2, "models", 0)
	var made []*table
	for i := 0; len(made) < invented; i++ {
		name := inventedName(i)
		if s.byName[name] != nil {
			continue
		}
		t := inventedModel(&r, name, made)
		if err := s.add(t); err != nil {
			return err
		}
		made = append(made, t)
		if i%3 > 0 {
			if err := addRelation(s, &r, t, made); err != nil {
				return err
			}
		}
	}
	return nil
}

// addModel adds a table for a model that is only known by its name.
func addModel(s *schema, name string, rows int64) error {
	t := &table{name: name, log: true, firstID: 1, size: rowRule{fixed: rows}}
	t.columns = []column{
		{name: "name", typ: "jsonb", notNull: true, value: "json(1-3)", nulls: -1},
		{name: "sequence", typ: "integer", nulls: -1},
		{name: "active", typ: "boolean", nulls: -1},
		{name: "company_id", typ: "integer", ref: "res_company", onDelete: 'n', index: plainIndex, nulls: 50},
	}
	return s.add(t)
}

var (
	apps  = strings.Fields("crm hr mrp fleet event survey helpdesk maintenance quality website lunch repair rental sign planning loyalty stock account project sale purchase pos mail calendar product")
	nouns = strings.Fields("batch rule template stage type log request report wizard config plan session budget alert point tier option history package campaign scheme transfer approval forecast device")
)

// inventedName gives each number a name of its own, in the form of Odoo's.
func inventedName(i int) string {
	name := apps[i%len(apps)] + "_" + nouns[(i*7+i/len(apps))%len(nouns)]
	if round := i / len(apps) / len(nouns); round > 0 {
		name += fmt.Sprintf("_%d", round+1)
	}
	if i%11 == 3 {
		// Names too long for their keys and indexes, as x2many wizards have.
		name += "_analytic_distribution_model_validation"
	}
	return name
}

// inventedColumns are the columns that further tables are made of.
const inventedColumns = `sequence int, active bool, color int, company_id ->res_company index, currency_id ->res_currency,
user_id ->res_users, partner_id ->res_partner, product_id ->product_product:r, state char =one(draft:3|done:5|cancel) index,
note text, description jsonb, amount_total num, amount_untaxed num, quantity num =qty 10%, price_unit num =amount 20%, date date,
date_deadline ts =later 50%, date_done ts =later 60%, probability float =float(0-100) 30%, res_model char, res_id int =int(1-900) 30%,
code char =ref(X%04d) 20%, reference char =words(1-2) 70%, email char, phone char, priority char, email_cc char,
access_token char =uuid 85%, website_id ->website partial, team_id ->crm_team, country_id ->res_country, uom_id ->uom_uom:r,
default bool =one(f:9|t) 20%, order char =words(1-1) 80%, limit int =int(1-80) 70%, description_html text =html 70%, image bytea,
properties jsonb, analytic_distribution jsonb =analytic 80%, location_id ->stock_location:r, move_id ->account_move partial,
template_id ->mail_template, is_published bool, require_payment bool, use_rating bool, x_studio_größe num =amount 60%,
meta_title jsonb =json(1-4) 80%, message_main_attachment_id ->ir_attachment, task_id ->project_task:c index,
order_id ->sale_order:c, weight num =qty 60%, total float =amount 40%, parent_path char =path 0% index`

// inventedModel makes a table of five to some twelve columns. Sizes fall steeply
// from the first to the last, many are empty, as in any Odoo.
func inventedModel(r *rng, name string, earlier []*table) *table {
	t := &table{name: name, log: true, firstID: 1}
	var pool table
	if err := parseColumns(&pool, strings.ReplaceAll(inventedColumns, "\n", " ")); err != nil {
		panic("odx: internal error: " + err.Error())
	}
	title := column{name: "name", typ: "character varying", notNull: true, value: "words(2-5)", nulls: -1}
	if r.n(3) == 0 {
		title.typ, title.value = "jsonb", "json(1-4)"
	}
	if r.n(40) == 0 {
		title.index = trigramIndex
	}
	t.columns = append(t.columns, title)
	for _, c := range pool.columns {
		if r.n(9) == 0 {
			t.columns = append(t.columns, c)
		}
	}
	if r.n(8) == 0 {
		t.columns = append(t.columns, column{name: "parent_id", typ: "integer", ref: name, onDelete: 'c', index: plainIndex, value: "tree", nulls: 40})
	}
	for range r.n(6) / 3 {
		if len(earlier) == 0 {
			break
		}
		to := earlier[r.n(int64(len(earlier)))].name
		c := column{name: to + "_id", typ: "integer", ref: to, onDelete: "nnnccr"[r.n(6)], nulls: 20}
		if r.n(3) == 0 {
			c.index = plainIndex
		}
		if !hasColumn(t, c.name) {
			t.columns = append(t.columns, c)
		}
	}
	switch n := int64(len(earlier)); {
	case n%5 == 4:
		t.size = rowRule{} // never used
	case n%3 == 0:
		t.size = rowRule{share: 12 / float64(n+3), min: 2}
	default:
		t.size = rowRule{fixed: 1 + r.skewed(60)}
	}
	addConstraints(t, r)
	return t
}

func addConstraints(t *table, r *rng) {
	if hasColumn(t, "probability") {
		t.checks = append(t.checks, constraint{t.name + "_check_probability", "probability >= 0 AND probability <= 100"})
	}
	if hasColumn(t, "code") && r.n(2) == 0 {
		t.uniques = append(t.uniques, constraint{t.name + "_code_uniq", "(code)"})
	}
	if hasColumn(t, "date") && hasColumn(t, "user_id") {
		t.indexes = append(t.indexes, index{name: t.name + "_date_user_id_idx", def: "btree (date DESC, user_id, id)"})
	}
	if hasColumn(t, "state") && r.n(2) == 0 {
		t.indexes = append(t.indexes, index{name: t.name + "_open_idx", def: "btree (id) WHERE state = 'draft'"})
	}
}

func hasColumn(t *table, name string) bool {
	for _, c := range t.columns {
		if c.name == name {
			return true
		}
	}
	return false
}

// addRelation adds a relation table between two invented models.
func addRelation(s *schema, r *rng, t *table, made []*table) error {
	other := made[r.n(int64(len(made)))]
	if other == t {
		other = s.byName["res_users"]
	}
	rel := &table{name: shortName(t.name + "_" + other.name + "_rel"), rel: true, size: rowRule{fixed: r.n(80)}}
	if s.byName[rel.name] != nil {
		return nil
	}
	for _, to := range []*table{t, other} {
		rel.columns = append(rel.columns, column{name: to.name + "_id", typ: "integer", notNull: true, ref: to.name, onDelete: 'c'})
	}
	return s.add(rel)
}

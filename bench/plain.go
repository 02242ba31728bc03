package bench

import "strings"

// plain are the sources of values that need no arguments.
var plain = map[string]value{
	"when": func(c *cell, b []byte) []byte { return appendTime(b, c.when-c.when%second) },
	"later": func(c *cell, b []byte) []byte {
		return appendTime(b, c.when-c.when%(3600*second)+c.n(20)*day)
	},
	"day":      func(c *cell, b []byte) []byte { return appendDate(b, c.when) },
	"dayafter": func(c *cell, b []byte) []byte { return appendDate(b, c.when+30*day) },
	"seqday":   func(c *cell, b []byte) []byte { return appendDate(b, lastDay-c.row*day) },
	"amount":   func(c *cell, b []byte) []byte { return appendCents(b, c.amount) },
	"tax":      func(c *cell, b []byte) []byte { return appendCents(b, c.amount*21/100) },
	"debit":    func(c *cell, b []byte) []byte { return appendCents(b, pick(c.credit, 0, c.amount)) },
	"credit":   func(c *cell, b []byte) []byte { return appendCents(b, pick(c.credit, c.amount, 0)) },
	"balance":  func(c *cell, b []byte) []byte { return appendCents(b, pick(c.credit, -c.amount, c.amount)) },
	"qty":      func(c *cell, b []byte) []byte { return append(appendInt(b, 1+c.amount/100%12), ".00"...) },
	"text":     (*cell).text,
	"html":     (*cell).html,
	"body":     (*cell).body,
	"mailbody": (*cell).mail,
	"subject":  func(c *cell, b []byte) []byte { return c.title(append(b, "Re: "...), 2+c.n(5)) },
	"model":    (*cell).model,
	"person":   (*cell).person,
	"email":    (*cell).email,
	"emailname": func(c *cell, b []byte) []byte {
		b = append(b, '"')
		b = append(b, givenNames[c.n(int64(len(givenNames)))]...)
		return append(c.email(append(b, `" <`...)), '>')
	},
	"msgid": (*cell).messageID,
	"mailheaders": func(c *cell, b []byte) []byte {
		b = append(b, `{'X-Odoo-Objects': '`...)
		b = append(c.model(b), '-')
		return append(appendInt(b, c.row), `', 'Return-Path': 'bounce@example.com'}`...)
	},
	"jsontext": func(c *cell, b []byte) []byte {
		return c.translated(b, func(b []byte) []byte { return c.sentences(b, 1+c.n(3)) })
	},
	"jsonhtml": func(c *cell, b []byte) []byte { return c.translated(b, c.html) },
	"jsonprop": func(c *cell, b []byte) []byte { return append(appendInt(append(b, `{"1": `...), c.skewed(90)), '}') },
	"jsoncode": func(c *cell, b []byte) []byte {
		return append(appendPadded(append(b, `{"1": "`...), 100000+c.row*37, 6), `"}`...)
	},
	"analytic": func(c *cell, b []byte) []byte {
		return append(appendInt(append(b, `{"`...), 1+c.skewed(40)), `": 100.0}`...)
	},
	"uuid": (*cell).uuid,
	"phone": func(c *cell, b []byte) []byte {
		return appendPadded(append(b, "+32 2 555 "...), c.n(10_000), 4)
	},
	"street": func(c *cell, b []byte) []byte {
		return append(append(appendInt(b, 1+c.skewed(300)), ' '), familyName[c.n(int64(len(familyName)))]+" Street"...)
	},
	"city": func(c *cell, b []byte) []byte { return append(b, cities[c.skewed(int64(len(cities)))]...) },
	"zip":  func(c *cell, b []byte) []byte { return appendPadded(b, 1000+c.skewed(9000), 4) },
	"url": func(c *cell, b []byte) []byte {
		return append(appendInt(append(b, "https://www.example.com/"...), c.skewed(9000)), '/')
	},
	"vat":  func(c *cell, b []byte) []byte { return appendPadded(append(b, "BE0"...), c.n(1_000_000_000), 9) },
	"iban": func(c *cell, b []byte) []byte { return appendPadded(append(b, "BE"...), c.row+10_000, 14) },
	"path": func(c *cell, b []byte) []byte { return append(appendInt(b, c.id), '/') },
	"code2": func(c *cell, b []byte) []byte {
		return append(b, byte('A'+c.row/26%26), byte('A'+c.row%26))
	},
	"code3": func(c *cell, b []byte) []byte {
		if c.row < int64(len(currencies)) {
			return append(b, currencies[c.row]...)
		}
		return append(b, 'X', byte('A'+c.row/26%26), byte('A'+c.row%26))
	},
	"login": func(c *cell, b []byte) []byte {
		if c.row < int64(len(logins)) {
			return append(b, logins[c.row]...)
		}
		return append(appendInt(append(b, "user"...), c.row), "@example.com"...)
	},
	"pbkdf2": func(c *cell, b []byte) []byte {
		b = append(b, "$pbkdf2-sha512$600000$"...)
		return c.base64(append(c.base64(b, 22), '$'), 86)
	},
	"address": writeConst(`%(street)s\n%(street2)s\n%(city)s %(state_code)s %(zip)s\n%(country_name)s`),
	"code":    writeConst(`if records:\n\tfor record in records:\n\t    record.action_confirm()\n`),
	"hook":    writeConst(`https://hooks.example.com/odoo`),
	"stage":   func(c *cell, b []byte) []byte { return append(b, stages[c.skewed(int64(len(stages)))]...) },
	"busmsg": func(c *cell, b []byte) []byte {
		b = append(b, `{"type": "mail.record/insert", "payload": {"id": `...)
		return append(appendInt(b, c.n(90_000)), `, "is_read": true}}`...)
	},
	"log": func(c *cell, b []byte) []byte {
		if c.n(4) > 0 {
			return c.sentences(b, 1)
		}
		b = append(b, `Traceback (most recent call last):\n  File "/usr/lib/python3/dist-packages/odoo/http.py", line `...)
		b = append(appendInt(b, c.n(2000)), `, in dispatch\n    raise ValidationError(message)\nodoo.exceptions.ValidationError: `...)
		return c.sentences(b, 1)
	},
	"arch": func(c *cell, b []byte) []byte { return c.translated(b, c.arch) },
}

var (
	currencies = strings.Fields("EUR USD GBP CHF JPY CAD AUD")
	// What tracked fields change from and to, most often.
	stages = []string{
		"Draft", "Posted", "Done", "Sales Order", "Ready", "Quotation", "In Progress", "Waiting", "New", "Qualified", "Normal", "Cancelled",
	}
	logins = strings.Fields("__system__ admin default public portaltemplate demo portal")
)

// arch writes a view, as the inside of a JSON string.
func (c *cell) arch(b []byte) []byte {
	b = append(b, `<form string=\\"`...)
	b = append(c.title(b, 2), `\\">\\n    <header>\\n        <field name=\\"state\\" widget=\\"statusbar\\"/>\\n    </header>\\n    <sheet>\\n`...)
	for range 3 + c.skewed(30) {
		b = append(b, `        <field name=\\"`...)
		b = append(b, fields[c.n(int64(len(fields)))]...)
		b = append(b, `\\" invisible=\\"state != 'draft'\\"/>\\n`...)
	}
	return append(b, `    </sheet>\\n</form>\\n`...)
}

var fields = strings.Fields("name partner_id company_id currency_id user_id date date_order amount_total state note sequence product_id quantity price_unit")

func pick(cond bool, yes, no int64) int64 {
	if cond {
		return yes
	}
	return no
}

// usual gives the source of values of a column that names none: by its name, if
// the defaults know it, else by its type.
func usual(col *column) (name, args string) {
	if d, ok := defaults[col.name]; ok && (col.ref != "") == (d.name == "zipf") && fits(col, d.name) {
		return d.name, d.args
	}
	switch {
	case col.ref != "":
		return "zipf", ""
	case strings.HasPrefix(col.typ, "character varying("):
		return "one", "a|b|c"
	}
	switch col.typ {
	case "integer":
		return "int", "0-100"
	case "boolean":
		return "one", "f:9|t"
	case "numeric", "double precision":
		return "amount", ""
	case "date":
		return "day", ""
	case "timestamp without time zone":
		return "later", ""
	case "jsonb":
		return "json", "1-3"
	case "bytea":
		return "bytes", "20-400"
	case "text":
		return "text", ""
	}
	return "words", "1-2"
}

// fits tells whether a default, chosen by the column's name, suits its type.
func fits(col *column, name string) bool {
	switch name {
	case "int", "amount", "tax", "balance", "day":
		return col.typ != "jsonb" && col.typ != "character varying" && col.typ != "text"
	case "one":
		return true
	case "zipf":
		return col.ref != ""
	}
	return col.typ == "character varying" || col.typ == "text"
}

// usualNulls gives the share of NULLs, in percent, of a column that says nothing.
func usualNulls(col *column) float64 {
	if d, ok := defaults[col.name]; ok && (col.ref != "") == (d.name == "zipf") {
		return d.nulls
	}
	switch {
	case col.value != "":
		return 0
	case col.ref != "":
		return 45
	}
	switch col.typ {
	case "boolean":
		return 25
	case "numeric", "double precision":
		return 40
	case "jsonb", "bytea":
		return 92
	case "text":
		return 88
	}
	return 70
}

// source is a source of values with its usual share of NULLs.
type source struct {
	name, args string
	nulls      float64
}

// defaults are the sources by column name.
var defaults = map[string]source{
	"active":           {"one", "t:19|f", 0},
	"amount":           {"amount", "", 0},
	"amount_tax":       {"tax", "", 0},
	"amount_total":     {"amount", "", 0},
	"amount_untaxed":   {"amount", "", 0},
	"balance":          {"balance", "", 0},
	"city":             {"city", "", 40},
	"color":            {"int", "0-11", 10},
	"company_id":       {"zipf", "", 5},
	"currency_id":      {"zipf", "", 0},
	"date":             {"day", "", 0},
	"description":      {"text", "", 80},
	"email":            {"email", "", 40},
	"email_from":       {"email", "", 20},
	"email_normalized": {"email", "", 40},
	"note":             {"text", "", 85},
	"parent_path":      {"path", "", 0},
	"phone":            {"phone", "", 60},
	"phone_sanitized":  {"phone", "", 60},
	"priority":         {"one", "0:8|1", 5},
	"ref":              {"ref", "REF%06d", 70},
	"res_model":        {"model", "", 0},
	"sequence":         {"one", "10:8|1|5|20", 5},
	"street":           {"street", "", 50},
	"user_id":          {"zipf", "", 40},
	"uuid":             {"uuid", "", 0},
	"website":          {"url", "", 80},
	"zip":              {"zip", "", 40},
}

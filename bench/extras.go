package bench

import "fmt"

// views are as Odoo's reports make them.
var views = []string{
	`CREATE VIEW report_sales_by_month AS
SELECT min(o.id) AS id, date_trunc('month', o.date_order) AS month, o.company_id, o.state, count(*) AS nbr, sum(o.amount_total) AS amount_total
FROM sale_order o GROUP BY date_trunc('month', o.date_order), o.company_id, o.state`,
	`CREATE VIEW report_stock_forecast AS
SELECT m.id, m.product_id, t.categ_id, m.location_id, CASE WHEN m.state = 'done' THEN m.quantity ELSE - m.product_qty END AS product_qty
FROM stock_move m JOIN product_product p ON p.id = m.product_id JOIN product_template t ON t.id = p.product_tmpl_id`,
}

// finishing returns the statements for views, and for what Extras asks for.
func (g *generation) finishing() []string {
	statements := views
	if !g.opts.Extras {
		return statements
	}
	statements = append(statements[:len(statements):len(statements)],
		`CREATE MATERIALIZED VIEW x_partner_balance AS
SELECT partner_id, sum(balance) AS balance, count(*) AS lines FROM account_move_line WHERE partner_id IS NOT NULL
GROUP BY partner_id ORDER BY partner_id`,
		`CREATE UNIQUE INDEX x_partner_balance_partner ON x_partner_balance (partner_id)`,
		`CREATE TABLE x_audit_log (id bigint NOT NULL, day date NOT NULL, message text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)`)
	for year := 2024; year <= 2026; year++ {
		statements = append(statements, fmt.Sprintf(
			"CREATE TABLE x_audit_log_%d PARTITION OF x_audit_log FOR VALUES FROM ('%d-01-01') TO ('%d-01-01')", year, year, year+1))
	}
	statements = append(statements, `INSERT INTO x_audit_log SELECT n, date '2024-01-01' + n, repeat('entry ' || n || ' ', 5) FROM generate_series(1, 1000) n`)
	r := seeded(g.opts.Seed, "large objects", 0)
	for i := range 5 {
		data := make([]byte, 3000*(i*i+1))
		if i%2 == 0 {
			r.fill(data)
		}
		statements = append(statements, fmt.Sprintf(`SELECT lo_from_bytea(%d, '\x%x')`, 910001+i, data))
	}
	return append(statements, `COMMENT ON LARGE OBJECT 910001 IS 'a scanned letter'`)
}

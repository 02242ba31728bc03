package odoo

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// leftover is a query that finds what a neutralized database of the series
// must not have any more.
type leftover struct {
	from, until int
	query       string
}

var leftovers = []leftover{
	{14, 19, `SELECT * FROM ir_mail_server WHERE active AND name <> '` + deadServer + `'`},
	{14, 19, `SELECT 'no dead server' WHERE (SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host = 'invalid' AND smtp_encryption = 'none') <> 1`},
	{14, 19, `SELECT * FROM ir_cron WHERE active <> (cron_name = 'vacuum')`},
	{14, 19, `SELECT 'not marked' WHERE NOT EXISTS (SELECT FROM ir_config_parameter WHERE key = 'database.is_neutralized' AND value = 'true')`},
	{14, 19, `SELECT * FROM fetchmail_server WHERE active`},
	{14, 19, `SELECT * FROM queue_job WHERE state IN ('pending', 'started', 'wait_dependencies') OR uuid = 'd' AND state <> 'failed'`},
	{16, 16, `SELECT * FROM fs_storage WHERE autovacuum_gc`},
	{17, 19, `SELECT * FROM fs_storage WHERE server_env_defaults::jsonb <> '{"x_protocol_env_default": "s3", "x_autovacuum_gc_env_default": false}'`},
	{14, 19, `SELECT * FROM mail_template WHERE mail_server_id IS NOT NULL`},
	{17, 19, `SELECT * FROM ir_act_server WHERE state = 'webhook' AND webhook_url NOT LIKE '%.invalid/'`},
	{14, 19, `SELECT * FROM ir_act_server WHERE state = 'code' AND code <> 'pass'`},
	{17, 19, `SELECT * FROM ir_config_parameter WHERE key ~ '^mail.(web_push_vapid|sfu)'`},
	{17, 17, `SELECT id FROM mail_notification_web_push UNION ALL SELECT id FROM mail_partner_device`},
	{18, 19, `SELECT id FROM mail_push UNION ALL SELECT id FROM mail_push_device`},
	{17, 19, `SELECT * FROM iap_account WHERE account_token IS NOT NULL AND account_token !~ '^[^+]{32,34}[+]disabled$'`},
	{14, 16, `SELECT * FROM iap_account WHERE account_token ~ '[+]'`},
	{14, 16, `SELECT e FROM unnest(ARRAY['iap', 'sms', 'snailmail', 'iap.partner_autocomplete', 'reveal', 'enrich']) AS e
		WHERE NOT EXISTS (SELECT FROM ir_config_parameter WHERE key = e || '.endpoint' AND value ~ 'test|sandbox')`},
	{17, 19, `SELECT * FROM ir_config_parameter WHERE key LIKE '%.endpoint' AND key <> 'sms.endpoint'`},
	{14, 19, `SELECT * FROM ir_config_parameter WHERE key LIKE 'recaptcha%' OR key LIKE 'cloud_storage%'`},
	{14, 19, `SELECT * FROM auth_oauth_provider WHERE enabled`},
	{14, 15, `SELECT * FROM payment_acquirer WHERE state = 'enabled' OR stripe_secret_key IS NOT NULL OR pre_msg <> 'hello'`},
	{14, 14, `SELECT * FROM payment_acquirer WHERE provider = 'transfer' AND save_token <> 'ask'`},
	{16, 19, `SELECT * FROM payment_provider WHERE state = 'enabled' OR stripe_secret_key <> '' OR adyen_api_key IS NOT NULL
		OR adyen_merchant_account IS NOT NULL OR NOT allow_tokenization OR so_reference_type IS NULL`},
	{16, 19, `SELECT 'test provider' WHERE NOT EXISTS (SELECT FROM payment_provider WHERE state = 'test')`},
	{14, 19, `SELECT * FROM pos_payment_method WHERE NOT adyen_test_mode OR adyen_api_key IS NOT NULL`},
	{14, 19, `SELECT * FROM delivery_carrier WHERE prod_environment OR active <> (delivery_type IN ('fixed', 'base_on_rule'))`},
	{14, 14, `SELECT * FROM res_users WHERE google_calendar_rtoken IS NOT NULL OR google_calendar_token IS NOT NULL`},
	{14, 19, `SELECT * FROM res_users WHERE microsoft_calendar_rtoken IS NOT NULL OR microsoft_calendar_token IS NOT NULL OR login = 'admin' AND password <> 'hash'`},
	{15, 16, `SELECT * FROM res_users WHERE microsoft_synchronization_stopped IS NOT TRUE`},
	{15, 17, `SELECT * FROM google_calendar_credentials WHERE calendar_rtoken IS NOT NULL OR synchronization_stopped IS NOT TRUE`},
	{17, 17, `SELECT * FROM microsoft_calendar_credentials WHERE calendar_sync_token IS NOT NULL OR last_sync_date IS NOT NULL OR synchronization_stopped IS NOT TRUE`},
	{18, 19, `SELECT * FROM res_users_settings WHERE google_calendar_rtoken IS NOT NULL OR microsoft_calendar_sync_token IS NOT NULL
		OR google_synchronization_stopped IS NOT TRUE OR microsoft_synchronization_stopped IS NOT TRUE OR push_to_talk_key <> 'F1'`},
	{14, 16, `SELECT 'edi' WHERE NOT EXISTS (SELECT FROM ir_config_parameter WHERE key = 'account_edi_proxy_client.demo' AND value = 'demo')`},
	{17, 19, `SELECT * FROM account_edi_proxy_client_user WHERE coalesce(edi_mode, 'prod') = 'prod' AND proxy_type <> 'l10n_my_edi' OR active AND proxy_type = 'l10n_my_edi'`},
	{17, 19, `SELECT id_client FROM account_edi_proxy_client_user WHERE active <> (id_client IN ('b', 'c', 'e', 'h', 'k'))`},
	{17, 19, `SELECT id_client FROM account_edi_proxy_client_user WHERE edi_mode <> CASE id_client
		WHEN 'e' THEN 'test' WHEN 'f' THEN 'prod' WHEN 'g' THEN 'test' WHEN 'h' THEN 'test' WHEN 'i' THEN 'test' WHEN 'j' THEN 'test' ELSE 'demo' END`},
	{17, 19, `SELECT 'peppol' WHERE NOT EXISTS (SELECT FROM ir_config_parameter WHERE key = 'account_peppol.edi.mode' AND value = 'test')`},
	{18, 19, `SELECT 'modes' WHERE (SELECT count(*) FROM ir_config_parameter WHERE key ~ '^l10n_(dk_nemhandel|pl_edi).*mode$' AND value = 'test') <> 2`},
	{14, 16, `SELECT * FROM res_company WHERE l10n_es_edi_test_env IS NOT TRUE`},
	{17, 19, `SELECT * FROM res_company WHERE l10n_es_sii_test_env IS NOT TRUE OR l10n_es_tbai_test_env IS NOT TRUE OR l10n_it_edi_register`},
	{16, 19, `SELECT * FROM res_company WHERE l10n_sa_api_mode <> 'sandbox'`},
	{15, 19, `SELECT * FROM res_company WHERE l10n_eg_client_secret <> '' OR l10n_eg_production_env`},
	{17, 19, `SELECT * FROM res_company WHERE (l10n_hu_edi_server_mode, l10n_hu_edi_username) NOT IN (('test', ''), ('demo', 'kept'))`},
	{18, 19, `SELECT * FROM res_company WHERE l10n_pl_edi_access_token <> '' OR l10n_tr_nilvera_environment <> 'sandbox'`},
	{18, 19, `SELECT pkcs12_password FROM certificate_certificate WHERE pkcs12_password <> '' UNION ALL SELECT password FROM certificate_key WHERE password <> ''`},
	{14, 19, `SELECT * FROM website WHERE domain IS NOT NULL OR cdn_activated IS NOT FALSE OR robots_txt <> E'User-agent: *\nDisallow: /' OR robots_txt IS NULL`},
	{14, 19, `SELECT * FROM ir_ui_view WHERE active = (key = 'other')`},
	{14, 19, `SELECT 'lost' WHERE NOT EXISTS (SELECT FROM ir_config_parameter WHERE key = 'some.parameter' AND value = 'kept')`},
}

// neutralize runs Neutralize in a transaction of its own.
func neutralize(t *testing.T, c session, info Info, addons ...string) (report NeutralizeReport, err error) {
	t.Helper()
	err = inTx(t, c, func(tx pgx.Tx) (err error) {
		report, err = Neutralize(t.Context(), tx, info, addons)
		return err
	})
	return report, err
}

func TestNeutralize_EverySeries(t *testing.T) {
	effective := make(map[string]bool) // what changed rows in some series
	for _, series := range fixtureSeries {
		t.Run(fmt.Sprint(series), func(t *testing.T) {
			c, info := fixture(t, series)
			report, err := neutralize(t, c, info)
			if err != nil {
				t.Fatal(err)
			}
			if report.Source != SourceOdx || len(report.Skipped) > 0 || len(report.Warnings) > 0 {
				t.Errorf("source %s, skipped %q, warnings %q", report.Source, report.Skipped, report.Warnings)
			}
			if want := []string{"oca", "own", "queue_job", "whatsapp"}; !slices.Equal(report.Modules, want) {
				t.Errorf("modules without neutralizer %q, want %q", report.Modules, want)
			}
			for _, step := range report.Ran {
				effective[step.What] = effective[step.What] || step.Rows > 0
			}
			for _, l := range leftovers {
				if l.from > series || series > l.until {
					continue
				}
				if rows := rowsOf(t, c, l.query); len(rows) > 0 {
					t.Errorf("%s\nfinds %q", l.query, rows)
				}
			}
			expectIdempotent(t, c, info)
		})
	}
	for _, c := range coreChanges() {
		if !effective[c.what] {
			t.Errorf("%q (table %s) changed no row in any series", c.what, c.table)
		}
	}
}

// expectIdempotent neutralizes again and expects nothing to change.
func expectIdempotent(t *testing.T, c session, info Info) {
	t.Helper()
	before := content(t, c)
	again, err := neutralize(t, c, info)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range again.Ran {
		if step.Rows != 0 {
			t.Errorf("again, %q changed %d rows", step.What, step.Rows)
		}
	}
	if content(t, c) != before {
		t.Error("neutralizing again changed rows")
	}
}

func TestNeutralize_RealDatabase(t *testing.T) {
	c := realDatabase(t)
	info, err := Inspect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	report, err := neutralize(t, c, info)
	if err != nil {
		t.Fatal(err)
	}
	if report.Source != SourceOdx || len(report.Skipped) > 0 || len(report.Warnings) > 0 ||
		!slices.Equal(report.Modules, []string{"project_hr_skills"}) { // its author is another company
		t.Errorf("report %+v", report)
	}
	rows := make(map[string]int64)
	for _, step := range report.Ran {
		rows[step.What] = step.Rows
	}
	for _, what := range []string{"a mail server that reaches nobody", "scheduled actions off, but for the vacuum",
		"banner of a neutralized database shown", "neutralized mark of the database"} {
		if rows[what] == 0 {
			t.Errorf("%q changed nothing", what)
		}
	}
	if active := rowsOf(t, c, `SELECT cron_name FROM ir_cron WHERE active`); len(active) != 1 || !strings.Contains(active[0], "vacuum") {
		t.Errorf("active scheduled actions: %q", active)
	}
	expectIdempotent(t, c, info)
}

// Any one table or column may be missing: nothing fails, and what is left is
// done.
func TestNeutralize_MissingColumns(t *testing.T) {
	c, info := fixture(t, 19)
	s, err := readSchema(t.Context(), c, allTables()...)
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]bool{"ir_module_module": true, "ir_attachment": true}
	for table, columns := range s {
		if required[table] {
			continue
		}
		for name := range columns {
			neutralizeWithout(t, c, info, "ALTER TABLE "+table+" DROP COLUMN "+name+" CASCADE")
		}
		neutralizeWithout(t, c, info, "DROP TABLE "+table+" CASCADE")
	}
}

func allTables() (tables []string) {
	for _, c := range coreChanges() {
		tables = append(tables, c.tables()...)
	}
	return tables
}

// neutralizeWithout neutralizes after the SQL, and takes all of it back.
func neutralizeWithout(t *testing.T, c *pgx.Conn, info Info, sql string) {
	t.Helper()
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	if _, err := Neutralize(t.Context(), tx, info, nil); err != nil {
		t.Errorf("after %s: %v", sql, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// With OCA's mail_environment the columns of the connection are gone.
func TestNeutralize_MailEnvironment(t *testing.T) {
	c, info := fixture(t, 16)
	execute(t, c, `ALTER TABLE ir_mail_server DROP smtp_host, DROP smtp_port, DROP smtp_user, DROP smtp_pass, DROP smtp_encryption,
  DROP smtp_authentication, ADD server_env_defaults text; UPDATE ir_mail_server SET server_env_defaults = '{"x_smtp_host_env_default": "smtp.example.com"}'`)
	report, err := neutralize(t, c, info)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Skipped) > 0 {
		t.Errorf("skipped %q", report.Skipped)
	}
	rows := rowsOf(t, c, `SELECT server_env_defaults::jsonb ->> 'x_smtp_host_env_default' FROM ir_mail_server WHERE active`)
	if !slices.Equal(rows, []string{"invalid"}) {
		t.Errorf("active mail servers %q", rows)
	}
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "[outgoing_mail") {
		t.Errorf("warnings %q", report.Warnings)
	}
	expectIdempotent(t, c, info)
	// The script of base does not know of it.
	dir := t.TempDir()
	script(t, dir, "base", "UPDATE ir_cron SET active = false;\nINSERT INTO ir_mail_server (name, smtp_host) VALUES ('dummy', 'invalid')")
	script(t, dir, "mail", "UPDATE res_partner SET name = 'mail was here'; INSERT INTO res_partner (name) VALUES ('mail was here')")
	report, err = neutralize(t, c, info, dir)
	if err != nil {
		t.Fatal(err)
	}
	if report.Source != SourceBoth || len(report.Warnings) != 3 || !strings.Contains(report.Warnings[1], "line 2") {
		t.Errorf("source %s, warnings %q", report.Source, report.Warnings)
	}
	if rows := rowsOf(t, c, `SELECT cron_name FROM ir_cron WHERE active UNION ALL SELECT DISTINCT name FROM res_partner`); len(rows) != 2 {
		t.Errorf("scheduled actions and partners: %q", rows)
	}
}

// A column that a dead mail server would need a value for is named.
func TestNeutralize_UnknownRequiredColumn(t *testing.T) {
	c, info := fixture(t, 17)
	execute(t, c, `ALTER TABLE ir_mail_server ADD tenant integer NOT NULL DEFAULT 1; ALTER TABLE ir_mail_server ALTER tenant DROP DEFAULT;
ALTER TABLE website ALTER domain TYPE jsonb USING NULL, ALTER robots_txt TYPE jsonb USING NULL; ALTER TABLE mail_template ALTER mail_server_id SET DEFAULT 1;
UPDATE mail_template SET mail_server_id = 1; ALTER TABLE mail_template ALTER mail_server_id SET NOT NULL`)
	report, err := neutralize(t, c, info)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a mail server that reaches nobody: a row of ir_mail_server needs a value for tenant",
		"mail templates without a server of their own: column mail_template.mail_server_id may not be empty",
		"websites without domain, delivery network and search engines: column website.robots_txt is of another type than expected",
	}
	if !slices.Equal(report.Skipped, want) {
		t.Errorf("skipped %q, want %q", report.Skipped, want)
	}
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "tenant") {
		t.Errorf("warnings %q", report.Warnings)
	}
	if rows := rowsOf(t, c, `SELECT name FROM ir_mail_server WHERE active`); len(rows) > 0 {
		t.Errorf("active mail servers %q", rows)
	}
}

func TestNeutralize_OtherSeries(t *testing.T) {
	for version, want := range map[string]string{
		"12.0.1.3":       "this is 12.0",
		"20.0.1.3":       "this is 20.0",
		"saas~18.2.1.3":  "",
		"no version":     "does not say which Odoo",
		"saas~16.4.1.3":  "",
		"10.saas~15.1.1": "this is 10.saas~15",
	} {
		c, _ := fixture(t, 16)
		if _, err := c.Exec(t.Context(), `UPDATE ir_module_module SET latest_version = $1`, version); err != nil {
			t.Fatal(err)
		}
		info, err := Inspect(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		report, err := neutralize(t, c, info)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(report.Warnings, ";"); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: warnings %q, want %q", version, got, want)
		}
		// Between 16 and 17 both ways to switch off paid services are taken.
		endpoints := rowsOf(t, c, `SELECT key FROM ir_config_parameter WHERE key = 'iap.endpoint'`)
		tokens := rowsOf(t, c, `SELECT account_token FROM iap_account WHERE account_token LIKE '%+disabled'`)
		wantEndpoints := !strings.HasPrefix(version, "20") && !strings.HasPrefix(version, "saas~18")
		wantTokens := version != "12.0.1.3" && version != "10.saas~15.1.1"
		if (len(endpoints) > 0) != wantEndpoints || (len(tokens) > 0) != wantTokens {
			t.Errorf("%s: endpoints %q, tokens %q", version, endpoints, tokens)
		}
	}
}

package odoo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
)

// piece is a part of a database that the given series have.
type piece struct {
	from, until int
	sql         string
}

// fixtureSeries are the series that there are fixtures of.
var fixtureSeries = []int{14, 15, 16, 17, 18, 19}

// pieces make, for each series, the tables that neutralizing deals with, with
// the columns that the modules of that series give them, filled as a database
// in production would be. Columns that play no part are left out, but for
// those that must not be empty.
var pieces = []piece{
	{14, 19, moduleTable + `
CREATE TABLE ir_model_data (id serial PRIMARY KEY, module varchar NOT NULL, name varchar NOT NULL, model varchar NOT NULL, res_id integer);
CREATE TABLE ir_cron (id serial PRIMARY KEY, cron_name varchar, active boolean);
INSERT INTO ir_cron (cron_name, active) VALUES ('vacuum', true), ('mail', true), ('off', false), ('third party', true);
INSERT INTO ir_model_data (module, name, model, res_id) VALUES ('base', 'autovacuum_job', 'ir.cron', 1),
  ('mail', 'autovacuum_job', 'ir.cron', 2), ('base', 'autovacuum_job', 'ir.model', 4), ('base', 'other', 'ir.cron', 4);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, partner_gid integer);
CREATE TABLE res_users (id serial PRIMARY KEY, login varchar NOT NULL, password varchar);
INSERT INTO res_users (login, password) VALUES ('admin', 'hash'), ('demo', NULL);
CREATE TABLE res_company (id serial PRIMARY KEY, name varchar NOT NULL);
INSERT INTO res_company (name) VALUES ('A'), ('B');
CREATE TABLE sms_sms (id serial PRIMARY KEY);
CREATE TABLE snailmail_letter (id serial PRIMARY KEY);
CREATE TABLE crm_lead (id serial PRIMARY KEY, reveal_id varchar, iap_enrich_done boolean);
CREATE TABLE auth_oauth_provider (id serial PRIMARY KEY, name varchar NOT NULL, enabled boolean);
INSERT INTO auth_oauth_provider (name, enabled) VALUES ('Odoo', true), ('Other', false);
CREATE TABLE fetchmail_server (id serial PRIMARY KEY, name varchar NOT NULL, active boolean, server varchar, server_type varchar NOT NULL);
INSERT INTO fetchmail_server (name, active, server, server_type) VALUES ('in', true, 'imap.example.com', 'imap');
CREATE TABLE mail_template (id serial PRIMARY KEY, mail_server_id integer);
INSERT INTO mail_template (mail_server_id) VALUES (1), (NULL);
CREATE TABLE ir_ui_view (id serial PRIMARY KEY, key varchar, active boolean);
INSERT INTO ir_ui_view (key, active) VALUES ('web.neutralize_banner', false), ('website.neutralize_ribbon', false), ('other', false);
CREATE TABLE website (id serial PRIMARY KEY, name varchar NOT NULL, domain varchar, cdn_activated boolean, cdn_url varchar, robots_txt text);
INSERT INTO website (name, domain, cdn_activated) VALUES ('W', 'https://example.com', true), ('V', NULL, NULL);
CREATE TABLE ir_act_server (id serial PRIMARY KEY, state varchar NOT NULL, code text);
INSERT INTO ir_act_server (state, code) VALUES ('code', 'pass');
INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', 'original'), ('database.secret', 'original'),
  ('web.base.url', 'https://example.com'), ('recaptcha_public_key', 'k'), ('recaptcha_private_key', 'k'),
  ('sms.endpoint', 'https://iap-sms.odoo.com'), ('some.parameter', 'kept');`},

	// OCA's: jobs that a runner of its own works on, and attachments elsewhere.
	{14, 19, `CREATE TABLE queue_job (id serial PRIMARY KEY, uuid varchar NOT NULL, state varchar NOT NULL);
INSERT INTO queue_job (uuid, state) VALUES ('a', 'pending'), ('b', 'done'), ('c', 'started'), ('d', 'failed'), ('e', 'wait_dependencies');`},
	{16, 16, `CREATE TABLE fs_storage (id serial PRIMARY KEY, code varchar NOT NULL, autovacuum_gc boolean);
INSERT INTO fs_storage (code, autovacuum_gc) VALUES ('s3', true), ('off', false);`},
	{17, 19, `CREATE TABLE fs_storage (id serial PRIMARY KEY, code varchar NOT NULL, server_env_defaults text);
INSERT INTO fs_storage (code, server_env_defaults) VALUES ('s3', '{"x_protocol_env_default": "s3", "x_autovacuum_gc_env_default": true}'), ('file', NULL);`},

	// Mail servers. From 15 on they have a way to log in, from 16 on the host may be empty.
	{14, 15, `CREATE TABLE ir_mail_server (id serial PRIMARY KEY, name varchar NOT NULL, smtp_host varchar NOT NULL, smtp_port integer NOT NULL,
  smtp_user varchar, smtp_pass varchar, smtp_encryption varchar NOT NULL, smtp_debug boolean, sequence integer, active boolean);`},
	{15, 15, `ALTER TABLE ir_mail_server ADD from_filter varchar, ADD smtp_authentication varchar NOT NULL,
  ADD smtp_ssl_certificate bytea, ADD smtp_ssl_private_key bytea;`},
	{16, 19, `CREATE TABLE ir_mail_server (id serial PRIMARY KEY, name varchar NOT NULL, smtp_host varchar, smtp_port integer,
  smtp_user varchar, smtp_pass varchar, smtp_encryption varchar NOT NULL, smtp_debug boolean, sequence integer, active boolean,
  from_filter varchar, smtp_authentication varchar NOT NULL, smtp_ssl_certificate bytea, smtp_ssl_private_key bytea);`},
	{19, 19, `ALTER TABLE ir_mail_server ADD owner_user_id integer;`},
	{14, 14, `INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, active) VALUES
  ('out', 'smtp.example.com', 587, 'starttls', true), ('old', 'old.example.com', 25, 'none', false);`},
	{15, 19, `INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, active) VALUES
  ('out', 'smtp.example.com', 587, 'starttls', 'login', true), ('old', 'old.example.com', 25, 'none', 'login', false);`},

	// Automation and web push.
	{17, 19, `ALTER TABLE ir_act_server ADD webhook_url varchar;
INSERT INTO ir_act_server (state, webhook_url) VALUES ('webhook', 'https://hooks.example.com/x');
INSERT INTO ir_config_parameter (key, value) VALUES ('mail.web_push_vapid_private_key', 'k'),
  ('mail.web_push_vapid_public_key', 'k'), ('mail.sfu_server_key', 'k');`},
	{17, 17, `CREATE TABLE mail_partner_device (id serial PRIMARY KEY, partner_id integer NOT NULL, endpoint varchar NOT NULL, keys varchar NOT NULL);
CREATE TABLE mail_notification_web_push (id serial PRIMARY KEY, user_device integer NOT NULL REFERENCES mail_partner_device, payload text);
INSERT INTO mail_partner_device (partner_id, endpoint, keys) VALUES (1, 'https://push.example.com', '{}');
INSERT INTO mail_notification_web_push (user_device, payload) VALUES (1, 'p');`},
	{18, 19, `CREATE TABLE mail_push_device (id serial PRIMARY KEY, partner_id integer NOT NULL, endpoint varchar NOT NULL, keys varchar NOT NULL);
CREATE TABLE mail_push (id serial PRIMARY KEY, mail_push_device_id integer NOT NULL REFERENCES mail_push_device, payload text);
INSERT INTO mail_push_device (partner_id, endpoint, keys) VALUES (1, 'https://push.example.com', '{}');
INSERT INTO mail_push (mail_push_device_id, payload) VALUES (1, 'p');
INSERT INTO ir_config_parameter (key, value) VALUES ('cloud_storage_provider', 'Google'), ('cloud_storage_google_bucket_name', 'b'),
  ('cloud_storage_google_account_info', '{}'), ('cloud_storage_azure_client_secret', 's');`},

	// Paid services.
	{14, 16, `CREATE TABLE iap_account (id serial PRIMARY KEY, service_name varchar, account_token varchar);
INSERT INTO iap_account (service_name, account_token) VALUES ('sms', '0123456789abcdef0123456789abcdef');`},
	{17, 17, `CREATE TABLE iap_account (id serial PRIMARY KEY, name varchar, service_name varchar, account_token varchar(43));`},
	{18, 19, `CREATE TABLE iap_account (id serial PRIMARY KEY, name varchar, service_id integer, account_token varchar(43), balance varchar, state varchar);`},
	{17, 19, `INSERT INTO iap_account (account_token) VALUES ('0123456789abcdef0123456789abcdef'), (NULL),
  ('0123456789abcdef0123456789abcdef+old'), ('01234567-89ab-cdef-0123-456789abcdef');`},

	// Payments and deliveries.
	{14, 15, `CREATE TABLE payment_acquirer (id serial PRIMARY KEY, name varchar NOT NULL, provider varchar NOT NULL, state varchar NOT NULL,
  company_id integer NOT NULL, stripe_secret_key varchar, stripe_publishable_key varchar, paypal_email_account varchar, ogone_pspid varchar,
  redirect_form_view_id integer, pre_msg text);`},
	{14, 14, `ALTER TABLE payment_acquirer ADD save_token varchar, ADD adyen_skin_hmac_key varchar, ADD brq_websitekey varchar;
INSERT INTO payment_acquirer (name, provider, state, company_id, save_token) VALUES ('T', 'transfer', 'enabled', 1, 'ask');`},
	{14, 15, `INSERT INTO payment_acquirer (name, provider, state, company_id, stripe_secret_key, pre_msg) VALUES
  ('S', 'stripe', 'enabled', 1, 'sk_live', 'hello'), ('P', 'paypal', 'test', 1, 'sk_test', NULL), ('O', 'ogone', 'disabled', 1, NULL, NULL);`},
	{16, 19, `CREATE TABLE payment_provider (id serial PRIMARY KEY, name jsonb NOT NULL, code varchar NOT NULL, state varchar NOT NULL,
  company_id integer NOT NULL, allow_tokenization boolean, custom_mode varchar, so_reference_type varchar, pre_msg jsonb,
  stripe_secret_key varchar NOT NULL DEFAULT 'sk_live', adyen_merchant_account varchar, adyen_api_key varchar, aps_sha_request varchar,
  mercado_pago_access_token varchar, razorpay_access_token_expiry timestamp);
INSERT INTO payment_provider (name, code, state, company_id, allow_tokenization, so_reference_type, adyen_merchant_account, adyen_api_key) VALUES
  ('{"en_US": "A"}', 'adyen', 'enabled', 1, true, 'so_name', 'M', 'AQE'), ('{"en_US": "T"}', 'custom', 'test', 1, true, 'partner', NULL, NULL);`},
	{14, 15, `CREATE TABLE delivery_carrier (id serial PRIMARY KEY, name varchar NOT NULL, active boolean, delivery_type varchar NOT NULL, prod_environment boolean);`},
	{16, 19, `CREATE TABLE delivery_carrier (id serial PRIMARY KEY, name jsonb NOT NULL, active boolean, delivery_type varchar NOT NULL, prod_environment boolean);`},
	{14, 19, `INSERT INTO delivery_carrier (name, active, delivery_type, prod_environment) VALUES ('{}', true, 'fixed', true),
  ('{}', true, 'base_on_rule', NULL), ('{}', true, 'ups', true), ('{}', false, 'dhl', false);
CREATE TABLE pos_payment_method (id serial PRIMARY KEY, name varchar NOT NULL, use_payment_terminal varchar, adyen_api_key varchar, adyen_test_mode boolean);
INSERT INTO pos_payment_method (name, use_payment_terminal, adyen_api_key, adyen_test_mode) VALUES ('Card', 'adyen', 'AQE', false), ('Cash', NULL, NULL, NULL);`},

	// Calendars.
	{14, 14, `ALTER TABLE res_users ADD google_calendar_rtoken varchar, ADD google_calendar_token varchar,
  ADD google_calendar_token_validity timestamp, ADD google_calendar_sync_token varchar, ADD google_calendar_cal_id varchar;
UPDATE res_users SET google_calendar_rtoken = 'r', google_calendar_token = 't' WHERE id = 1;`},
	{15, 17, `CREATE TABLE google_calendar_credentials (id serial PRIMARY KEY, calendar_rtoken varchar, calendar_token varchar,
  calendar_token_validity timestamp, calendar_sync_token varchar, calendar_cal_id varchar, synchronization_stopped boolean);
INSERT INTO google_calendar_credentials (calendar_rtoken, calendar_token) VALUES ('r', 't');`},
	{14, 19, `ALTER TABLE res_users ADD microsoft_calendar_rtoken varchar, ADD microsoft_calendar_token varchar, ADD microsoft_calendar_token_validity timestamp;
UPDATE res_users SET microsoft_calendar_rtoken = 'r', microsoft_calendar_token = 't' WHERE id = 2;`},
	{14, 16, `ALTER TABLE res_users ADD microsoft_calendar_sync_token varchar;`},
	{15, 16, `ALTER TABLE res_users ADD microsoft_synchronization_stopped boolean;`},
	{17, 17, `CREATE TABLE microsoft_calendar_credentials (id serial PRIMARY KEY, calendar_sync_token varchar, synchronization_stopped boolean, last_sync_date timestamp);
INSERT INTO microsoft_calendar_credentials (calendar_sync_token, last_sync_date) VALUES ('s', now());`},
	{18, 19, `CREATE TABLE res_users_settings (id serial PRIMARY KEY, user_id integer NOT NULL, push_to_talk_key varchar,
  google_calendar_rtoken varchar, google_calendar_token varchar, google_calendar_token_validity timestamp, google_calendar_sync_token varchar,
  google_calendar_cal_id varchar, google_synchronization_stopped boolean,
  microsoft_calendar_sync_token varchar, microsoft_synchronization_stopped boolean, microsoft_last_sync_date timestamp);
INSERT INTO res_users_settings (user_id, push_to_talk_key, google_calendar_rtoken, microsoft_calendar_sync_token, microsoft_last_sync_date) VALUES (1, 'F1', 'r', 's', now());`},

	// Electronic documents and authorities.
	{14, 16, `CREATE TABLE account_edi_proxy_client_user (id serial PRIMARY KEY, active boolean, id_client varchar NOT NULL, company_id integer NOT NULL,
  edi_format_id integer NOT NULL, edi_identification varchar NOT NULL, private_key bytea NOT NULL, refresh_token varchar);
INSERT INTO account_edi_proxy_client_user (active, id_client, company_id, edi_format_id, edi_identification, private_key) VALUES (true, 'c', 1, 1, 'IT', 'k');`},
	{17, 19, `CREATE TABLE account_edi_proxy_client_user (id serial PRIMARY KEY, active boolean, id_client varchar NOT NULL UNIQUE, company_id integer NOT NULL,
  proxy_type varchar NOT NULL, edi_mode varchar, edi_identification varchar NOT NULL, refresh_token varchar);
CREATE UNIQUE INDEX ON account_edi_proxy_client_user (edi_identification, proxy_type, edi_mode) WHERE active;
CREATE UNIQUE INDEX ON account_edi_proxy_client_user (company_id, proxy_type, edi_mode) WHERE active;
INSERT INTO account_edi_proxy_client_user (active, id_client, company_id, proxy_type, edi_mode, edi_identification) VALUES
  (true, 'a', 1, 'l10n_it_edi', 'prod', 'IT1'), (true, 'b', 1, 'l10n_it_edi', 'demo', 'IT1'),
  (true, 'c', 1, 'peppol', 'prod', '0208:1'), (false, 'd', 1, 'peppol', 'prod', '0208:1'), (true, 'e', 2, 'peppol', 'test', '0208:2'),
  (true, 'f', 1, 'l10n_my_edi', 'prod', 'MY1'), (true, 'g', 1, 'l10n_my_edi', 'test', 'MY1'),
  (true, 'h', 1, 'l10n_mx', 'prod', 'X'), (true, 'i', 2, 'l10n_mx', 'prod', 'Y'), (true, 'j', 3, 'l10n_mx', NULL, 'Z'),
  (true, 'k', 3, 'l10n_mx', 'demo', 'Y');
ALTER TABLE res_company ADD account_peppol_proxy_state varchar, ADD l10n_hu_edi_server_mode varchar, ADD l10n_hu_edi_username varchar, ADD l10n_it_edi_register boolean;
UPDATE res_company SET l10n_hu_edi_server_mode = 'production', l10n_hu_edi_username = 'u', l10n_it_edi_register = true WHERE id = 1;
UPDATE res_company SET l10n_hu_edi_server_mode = 'demo', l10n_hu_edi_username = 'kept' WHERE id = 2;`},
	{14, 16, `ALTER TABLE res_company ADD l10n_es_edi_test_env boolean; UPDATE res_company SET l10n_es_edi_test_env = false;`},
	{17, 19, `ALTER TABLE res_company ADD l10n_es_sii_test_env boolean, ADD l10n_es_tbai_test_env boolean; UPDATE res_company SET l10n_es_sii_test_env = false;`},
	{16, 19, `ALTER TABLE res_company ADD l10n_sa_api_mode varchar NOT NULL DEFAULT 'prod';`},
	{15, 19, `ALTER TABLE res_company ADD l10n_eg_client_secret varchar, ADD l10n_eg_production_env boolean;
UPDATE res_company SET l10n_eg_client_secret = 's', l10n_eg_production_env = true WHERE id = 2;`},
	{18, 19, `ALTER TABLE res_company ADD l10n_dk_nemhandel_proxy_state varchar, ADD l10n_pl_edi_access_token varchar, ADD l10n_tr_nilvera_environment varchar;
UPDATE res_company SET l10n_pl_edi_access_token = 't', l10n_tr_nilvera_environment = 'production';
CREATE TABLE certificate_certificate (id serial PRIMARY KEY, name varchar, pkcs12_password varchar);
CREATE TABLE certificate_key (id serial PRIMARY KEY, name varchar, password varchar);
INSERT INTO certificate_certificate (pkcs12_password) VALUES ('p'); INSERT INTO certificate_key (password) VALUES ('p');`},
}

// fixture makes the database of a series in production.
func fixture(t *testing.T, series int) (*pgx.Conn, Info) {
	t.Helper()
	var sql strings.Builder
	for _, p := range pieces {
		if p.from <= series && series <= p.until {
			sql.WriteString(p.sql)
		}
	}
	c := open(t, sql.String())
	_, err := c.Exec(t.Context(), `INSERT INTO ir_module_module (name, state, latest_version, author, license)
SELECT m.name, m.state, m.series || '.1.0', m.author, m.license FROM (VALUES
  ('mail', 'installed', $1, 'Odoo S.A.', 'LGPL-3'), ('base', 'installed', $1, 'Odoo S.A.', 'LGPL-3'), ('queue_job', 'to upgrade', $1, 'Camptocamp, OCA', 'LGPL-3'),
  ('whatsapp', 'to remove', $1, 'Odoo S.A.', 'OEEL-1'), ('sale', 'uninstalled', $1, 'Odoo S.A.', 'LGPL-3'), ('own', 'installed', $1, NULL, NULL), ('oca', 'installed', $1, 'Odoo Community Association (OCA)', 'AGPL-3')
) AS m (name, state, series, author, license)`, seriesOf(t, series).String())
	if err != nil {
		t.Fatal(err)
	}
	info, err := Inspect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c, info
}

func seriesOf(t *testing.T, major int) dumpfmt.Series {
	t.Helper()
	s, err := dumpfmt.ParseSeries(fmt.Sprintf("%d.0", major))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

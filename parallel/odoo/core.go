package odoo

import "regexp"

// deadServer is the name of the mail server that reaches nobody. It is there
// because Odoo without any active one uses that of its command line.
const deadServer = "neutralized: no mail leaves this copy"

// Columns of payment providers and point of sale terminals that hold what
// makes somebody else's account usable. Other than that, each provider brings
// its own columns, so they are known by their names.
var (
	payCredentials = regexp.MustCompile(`key|secret|token|passw|hmac|salt|signature|login|merchant|seller|` +
		`account|pspid|userid|client_id|identifier|access_code|_sha_|service_ref|webhook`)
	posCredentials = regexp.MustCompile(`key|secret|token|passw|client_id`)
	posTestMode    = regexp.MustCompile(`test_mode$`)
)

// coreChanges are odx's own neutralizing statements: what in Odoo 14 to 19
// acts on the outside, by what its neutralize.sql files deal with in the series
// that have them. Series are given only where tables and columns do not tell.
func coreChanges() []change {
	var all []change
	for _, group := range [][]change{
		mailChanges, automationChanges, serviceChanges, paymentChanges,
		calendarChanges, ediChanges, companyChanges, websiteChanges, queueChanges, storageChanges,
	} {
		all = append(all, group...)
	}
	return append(all, parameter("neutralized mark of the database", "database.is_neutralized", "true"))
}

// parameter sets a system parameter, and creates it where it is missing, in a
// database that has the given columns.
func parameter(what, key, value string, given ...string) change {
	return change{
		what: what, table: parameters, ensure: true, needs: []string{"key", "value"}, given: given,
		set: []assignment{text("key", key), text("value", value)}, where: "t.key = '" + key + "'",
	}
}

// during limits a change to some series.
func (c change) during(from, until int) change {
	c.from, c.until = from, until
	return c
}

// without removes system parameters.
func without(what, keys string) change {
	return change{what: what, table: parameters, remove: true, needs: []string{"key"}, where: "t.key IN (" + keys + ")"}
}

// The runner of OCA's queue_job is no scheduled action: it serves every database
// that has the module.
var queueChanges = []change{{
	what: "queued jobs cancelled", table: "queue_job", set: []assignment{text("state", "cancelled")},
	where: "t.state IN ('wait_dependencies', 'pending', 'enqueued', 'started')", needs: []string{"state"},
}}

// storageChanges keep a copy from deleting the original's files: attachments in OCA's
// fs_storage are where they were, and Odoo's vacuum removes there what this database
// names no more. No module's own script deals with it, so these statements are run
// beside the scripts as well.
var storageChanges = []change{{
	what: "files in other storages are not removed", table: "fs_storage",
	set: []assignment{
		flag("autovacuum_gc", false),
		// With OCA's server environment the value is in one of JSON.
		{column: "server_env_defaults", kind: kindText,
			value: `regexp_replace(t.server_env_defaults, '("x_autovacuum_gc_env_default": *)true', '\1false')`},
	},
}}

var mailChanges = []change{
	{
		what: "outgoing mail servers off", table: "ir_mail_server", set: []assignment{flag("active", false)},
		where: "t.name IS DISTINCT FROM '" + deadServer + "'", needs: []string{"name"},
	},
	{
		// OCA's server environment takes the columns of the connection away and
		// keeps their values in one of JSON.
		what: "a mail server that reaches nobody", table: "ir_mail_server", ensure: true,
		set: []assignment{
			text("name", deadServer), text("smtp_host", "invalid"),
			{column: "smtp_port", kind: kindInt, value: "1025"},
			text("smtp_encryption", "none"), text("smtp_authentication", "login"), flag("active", true),
			text("server_env_defaults", `{"x_smtp_host_env_default": "invalid", "x_smtp_port_env_default": 1025, `+
				`"x_smtp_encryption_env_default": "none", "x_smtp_authentication_env_default": "login"}`),
		},
		where: "t.name = '" + deadServer + "'", needs: []string{"name"},
	},
	{what: "incoming mail servers off", table: "fetchmail_server", set: []assignment{flag("active", false)}},
	{what: "mail templates without a server of their own", table: "mail_template", set: null("mail_server_id")},
	without("keys of web push and of calls removed",
		"'mail.web_push_vapid_private_key', 'mail.web_push_vapid_public_key', 'mail.sfu_server_key'"),
	{what: "web push messages removed", table: "mail_notification_web_push", remove: true},
	{what: "web push devices removed", table: "mail_partner_device", remove: true},
	{what: "web push messages removed", table: "mail_push", remove: true},
	{what: "web push devices removed", table: "mail_push_device", remove: true},
}

var automationChanges = []change{
	{
		what: "scheduled actions off, but for the vacuum", table: "ir_cron", set: []assignment{flag("active", false)},
		where: `NOT EXISTS (SELECT FROM public.ir_model_data AS d WHERE d.model = 'ir.cron'
  AND d.module = 'base' AND d.name = 'autovacuum_job' AND d.res_id = t.id)`,
		needs: []string{"id", "ir_model_data.model", "ir_model_data.module", "ir_model_data.name", "ir_model_data.res_id"},
	},
	{
		what: "webhooks lead nowhere", table: "ir_act_server",
		set: []assignment{text("webhook_url", "https://neutralized.invalid/")}, where: "t.state = 'webhook'", given: []string{"webhook_url", "state"},
	},
}

// Services that Odoo sells per use (IAP), and some of others. Up to 16 a test
// server is asked instead of the real one; from 17 on the real one knows a
// disabled token by its suffix. Tokens are 43 characters at most.
var serviceChanges = []change{
	{
		what: "tokens of paid services disabled", from: 17, table: "iap_account",
		set: []assignment{{column: "account_token", kind: kindText,
			value: "left(split_part(t.account_token, '+', 1), 34) || '+disabled'"}},
	},
	parameter("paid services: test server", "iap.endpoint", "https://iap-sandbox.odoo.com", "iap_account.id").during(0, 16),
	parameter("text messages: test server", "sms.endpoint", testServices, "sms_sms.id").during(0, 16),
	parameter("letters: test server", "snailmail.endpoint", testServices, "snailmail_letter.id").during(0, 16),
	parameter("partner completion: test server", "iap.partner_autocomplete.endpoint", testServices,
		"res_partner.partner_gid").during(0, 16),
	parameter("lead generation: test server", "reveal.endpoint", testServices, "crm_lead.reveal_id").during(0, 16),
	parameter("lead enrichment: test server", "enrich.endpoint", testServices, "crm_lead.iap_enrich_done").during(0, 16),
	without("keys of Google services removed", "'recaptcha_public_key', 'recaptcha_private_key', "+
		"'google_address_autocomplete.google_places_api_key'"),
	without("cloud storage off", "'cloud_storage_provider', 'cloud_storage_azure_account_name', "+
		"'cloud_storage_azure_container_name', 'cloud_storage_azure_tenant_id', 'cloud_storage_azure_client_id', "+
		"'cloud_storage_azure_client_secret', 'cloud_storage_google_bucket_name', 'cloud_storage_google_account_info'"),
	{what: "sign-in with other services off", table: "auth_oauth_provider", set: []assignment{flag("enabled", false)}},
}

// testServices answers for the paid services of Odoo 14 to 16 without doing
// anything.
const testServices = "https://iap-services-test.odoo.com"

var paymentChanges = []change{
	paymentsOff("payment_provider"), // 16 and later
	paymentsOff("payment_acquirer"), // 14 and 15
	{
		what: "credentials of payment providers removed", table: "payment_provider",
		set: []assignment{{match: payCredentials, kind: kindText, value: "NULL"}},
	},
	{
		what: "credentials of payment providers removed", table: "payment_acquirer",
		set: []assignment{{match: payCredentials, except: "save_token", kind: kindText, value: "NULL"}},
	},
	{
		what: "payment terminals of the point of sale in test mode", table: "pos_payment_method",
		set: []assignment{
			{match: posTestMode, kind: kindBool, value: "true"},
			{match: posCredentials, kind: kindText, value: "NULL"},
			text("glory_websocket_address", "0.0.0.0"),
		},
	},
	{what: "delivery carriers in test mode", table: "delivery_carrier", set: []assignment{flag("prod_environment", false)}},
	{
		what: "delivery carriers of other companies off", table: "delivery_carrier", set: []assignment{flag("active", false)},
		where: "t.delivery_type NOT IN ('fixed', 'base_on_rule')", needs: []string{"delivery_type"},
	},
}

func paymentsOff(table string) change {
	return change{
		what: "payment providers off", table: table, set: []assignment{text("state", "disabled")},
		where: "t.state NOT IN ('test', 'disabled')", needs: []string{"state"},
	}
}

var calendarChanges = []change{
	{
		what: "Google and Microsoft calendars disconnected", table: "res_users",
		set: append(null("google_calendar_rtoken", "google_calendar_token", "google_calendar_sync_token", // 14
			"microsoft_calendar_rtoken", "microsoft_calendar_token", "microsoft_calendar_sync_token"),
			flag("microsoft_synchronization_stopped", true)), // 15 and 16
	},
	{
		what: "Google calendars disconnected", table: "google_calendar_credentials", // 15 to 17
		set: append(null("calendar_rtoken", "calendar_token", "calendar_sync_token"), flag("synchronization_stopped", true)),
	},
	{
		what: "Microsoft calendars disconnected", table: "microsoft_calendar_credentials", // 17
		set: append(null("calendar_sync_token", "last_sync_date"), flag("synchronization_stopped", true)),
	},
	{
		what: "Google and Microsoft calendars disconnected", table: "res_users_settings", // 18 and later
		set: append(null("google_calendar_rtoken", "google_calendar_token", "google_calendar_sync_token",
			"microsoft_calendar_sync_token", "microsoft_last_sync_date"),
			flag("google_synchronization_stopped", true), flag("microsoft_synchronization_stopped", true)),
	},
}

// ediUser is the table of the accounts with Odoo's relay of electronic
// documents. Unique indexes allow one active account of a mode to a company,
// and to an identification.
const ediUser = "account_edi_proxy_client_user"

var (
	ediGiven = []string{"proxy_type", "edi_mode"} // 17 and later
	ediNeeds = []string{"id", "active", "company_id", "edi_identification"}
)

var ediChanges = []change{
	{
		what: "accounts for electronic documents off that have no test mode, or a test account beside them", table: ediUser,
		set: []assignment{flag("active", false)},
		where: `t.proxy_type IN ('l10n_my_edi', 'l10n_gr_edi') OR EXISTS (SELECT FROM public.` + ediUser + ` AS o
  WHERE o.id <> t.id AND o.active AND o.proxy_type = t.proxy_type
    AND (o.company_id = t.company_id OR o.edi_identification = t.edi_identification)
    AND (coalesce(o.edi_mode, 'prod') <> 'prod' OR o.id > t.id)) AND coalesce(t.edi_mode, 'prod') = 'prod'`,
		given: ediGiven, needs: ediNeeds,
	},
	{
		what: "accounts for electronic documents in demo or test mode", table: ediUser,
		set: []assignment{{column: "edi_mode", kind: kindText,
			value: "CASE WHEN t.proxy_type IN ('l10n_it_edi', 'peppol', 'nemhandel', 'pdp') THEN 'demo' ELSE 'test' END"}},
		where: "coalesce(t.edi_mode, 'prod') = 'prod' AND t.proxy_type NOT IN ('l10n_my_edi', 'l10n_gr_edi')",
		given: ediGiven, needs: ediNeeds,
	},
	parameter("electronic documents in demo mode", "account_edi_proxy_client.demo", "demo", ediUser+".id").during(0, 16),
	parameter("Peppol in test mode", "account_peppol.edi.mode", "test", "res_company.account_peppol_proxy_state"),
	parameter("Nemhandel in test mode", "l10n_dk_nemhandel.edi.mode", "test", "res_company.l10n_dk_nemhandel_proxy_state"),
	parameter("KSeF in test mode", "l10n_pl_edi_ksef.mode", "test", "res_company.l10n_pl_edi_access_token"),
}

// companyChanges put each country's connection to its authorities into test
// mode, column by column, since each comes with a module of its own.
var companyChanges = []change{{
	what: "connections to authorities in test mode", table: "res_company",
	set: append(null(
		"l10n_in_edi_username", "l10n_in_edi_password", "l10n_in_edi_token", "l10n_in_edi_token_validity",
		"l10n_in_ewaybill_username", "l10n_in_ewaybill_password", "l10n_in_ewaybill_auth_validity",
		"l10n_in_edi_ewaybill_username", "l10n_in_edi_ewaybill_password", "l10n_in_edi_ewaybill_auth_validity",
		"l10n_hr_mer_username", "l10n_hr_mer_password", "l10n_hr_mer_company_ident", "l10n_hr_mer_software_ident",
		"l10n_pl_edi_certificate", "l10n_pl_edi_access_token", "l10n_pl_edi_refresh_token",
		"l10n_pl_edi_session_id", "l10n_pl_edi_session_key", "l10n_pl_edi_session_iv",
		"l10n_eg_client_secret", "l10n_jo_edi_secret_key", "l10n_jo_edi_client_identifier", "l10n_rs_edi_api_key",
		"l10n_ro_edi_client_id", "l10n_vn_edi_username", "l10n_tr_nilvera_api_key", "l10n_tr_nilvera_purchase_journal_id",
		"sms_twilio_auth_token"),
		flag("l10n_co_edi_test_mode", true), flag("l10n_ec_production_env", false),
		flag("l10n_eg_production_env", false), flag("l10n_es_edi_test_env", true), flag("l10n_es_sii_test_env", true),
		flag("l10n_es_tbai_test_env", true), flag("l10n_es_edi_verifactu_test_environment", true),
		flag("l10n_gr_edi_test_env", true), flag("l10n_in_edi_production_env", false), flag("l10n_it_edi_register", false),
		flag("l10n_mx_edi_pac_test_env", true), flag("l10n_pe_edi_test_env", true), flag("l10n_ro_edi_test_env", true),
		flag("l10n_rs_edi_demo_env", true), flag("l10n_tw_edi_ecpay_staging_mode", true),
		text("l10n_ar_afip_ws_environment", "testing"), text("l10n_cl_dte_service_provider", "SIITEST"),
		text("l10n_hr_mer_connection_mode", "test"), text("l10n_hr_mer_connection_state", "inactive"),
		text("l10n_my_edi_mode", "test"), text("l10n_sa_api_mode", "sandbox"), text("l10n_tr_nilvera_environment", "sandbox"),
	),
}, {
	what: "connection to the authority of Hungary in test mode", table: "res_company",
	set:   []assignment{text("l10n_hu_edi_server_mode", "test"), text("l10n_hu_edi_username", "")},
	where: "t.l10n_hu_edi_server_mode = 'production'", given: []string{"l10n_hu_edi_server_mode"},
}, {
	what: "passwords of certificates removed", table: "certificate_certificate",
	set: null("pkcs12_password"),
}, {
	what: "passwords of keys removed", table: "certificate_key",
	set: null("password"),
}}

var websiteChanges = []change{
	{
		what: "websites without domain, delivery network and search engines", table: "website",
		set: append(null("domain"), flag("cdn_activated", false),
			assignment{column: "robots_txt", kind: kindText, value: `E'User-agent: *\nDisallow: /'`}),
	},
	{
		what: "banner of a neutralized database shown", table: "ir_ui_view", set: []assignment{flag("active", true)},
		where: "t.key IN ('web.neutralize_banner', 'website.neutralize_ribbon')", needs: []string{"key"},
	},
}

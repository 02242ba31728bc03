package bench

import "strings"

// installedModules are modules of Odoo 19 with their versions where they are
// not 19.0.1.0; base comes first.
const installedModules = `base:1.3 web account:1.4 account_payment:2.0 analytic:1.2 auth_signup auth_totp auth_totp_mail
auth_totp_portal barcodes:2.0 base_import:2.0 base_setup bus calendar:1.1 calendar_sms:1.1 contacts crm:1.9 crm_iap_enrich:1.1
crm_sms:1.1 delivery digest:1.1 google_gmail:1.2 hr:1.1 hr_holidays:1.6 hr_org_chart hr_skills html_editor http_routing
iap:1.1 iap_mail l10n_us:1.1 mail:1.19 mail_bot:1.2 microsoft_outlook:1.1 mrp:2.0 mrp_account onboarding:1.2 payment:2.0
payment_custom:2.0 phone_validation:2.1 portal portal_rating privacy_lookup product:1.2 project:1.3 project_account
purchase:1.2 purchase_stock:1.2 rating:1.1 resource:1.1 sale:1.2 sale_crm sale_management sale_project sale_stock
sales_team:1.1 sms:3.0 snailmail:0.4 social_media:0.1 spreadsheet stock:1.1 stock_account:1.1 stock_delivery stock_sms uom
utm:1.1 web_tour web_unsplash:1.1 website website_crm:2.1 website_mail:0.1 website_payment website_sale:1.1 website_sms`

const otherModules = `event fleet helpdesk hr_attendance hr_expense hr_recruitment hr_timesheet im_livechat l10n_be l10n_de
l10n_fr lunch maintenance marketing_automation mass_mailing membership note payment_adyen payment_paypal payment_stripe
point_of_sale pos_restaurant quality_control repair sale_subscription sign stock_barcode survey test_mail theme_default
timesheet_grid web_enterprise web_studio website_blog website_event website_forum website_livechat website_slides`

// parameters are the keys of ir_config_parameter with their values; those
// without one get theirs from paramValue.
var parameters = [][2]string{
	{"database.secret", ""}, {"database.uuid", ""}, {"database.create_date", ""},
	{"web.base.url", "https://odoo.example.com"}, {"base.login_cooldown_after", "10"},
	{"base.login_cooldown_duration", "60"}, {"base.template_portal_user_id", "5"}, {"base.default_max_email_size", "10"},
	{"base_setup.show_effect", "True"}, {"mail.activity.gc.delete_overdue_years", "3"}, {"mail.restrict.template.rendering", "1"},
	{"auth_signup.invitation_scope", "b2b"}, {"auth_signup.reset_password", "True"}, {"calendar.default_privacy", "public"},
	{"digest.default_digest_emails", "True"}, {"crm.pls_fields", "phone_state,email_state,state_id,country_id,source"},
	{"stock.barcode_separator", ","}, {"sale.async_emails", "False"}, {"account.use_invoice_terms", "True"},
	{"database.enterprise_code", "M26060000000000"}, {"database.expiration_date", "2027-06-30 00:00:00"},
	{"database.expiration_reason", "renewal"}, {"mail.web_push_vapid_private_key", ""}, {"mail.web_push_vapid_public_key", ""},
	{"iap.endpoint", "https://iap.example.com"}, {"report.url", `C:\wkhtmltox\bin` + "\n\ttwo lines"},
}

// crons are the scheduled actions. The first is the one that a neutralized
// database keeps, base.autovacuum_job.
var crons = []string{
	"Base: Auto-vacuum internal data", "Mail: Email Queue Manager", "Mail: Fetchmail Service", "Mail: send web push notification",
	"Publisher: Update Notification", "SMS: SMS Queue Manager", "Snailmail: process letters queue", "Digest Emails",
	"Account: Post draft entries", "Send invoices automatically", "CRM: Lead Assignment", "CRM: enrich leads (IAP)",
	"Procurement: run scheduler", "Payment: Post-process transactions", "Purchase reminder", "Calendar: Event Reminder",
	"Website Visitor : clean inactive visitors", "eCommerce: send email to customers about their abandoned cart",
}

// lists gives the values that stand for whole rows: see rows=list: in parse.go.
func lists(s *schema) map[string][]string {
	l := map[string][]string{"crons": crons}
	for item := range strings.FieldsSeq(installedModules + " " + otherModules) {
		name, _, _ := strings.Cut(item, ":")
		l["modules"] = append(l["modules"], name)
	}
	for _, p := range parameters {
		l["params"] = append(l["params"], p[0])
	}
	for _, t := range s.tables {
		if !t.rel {
			l["models"] = append(l["models"], strings.ReplaceAll(t.name, "_", "."))
		}
	}
	return l
}

// odooValues are the sources of values made for one column of one table.
func odooValues() map[string]value {
	installed := strings.Fields(installedModules)
	return map[string]value{
		"modstate": func(c *cell, b []byte) []byte {
			return append(b, choose(c.row < int64(len(installed)), "installed", "uninstalled")...)
		},
		"modversion": func(c *cell, b []byte) []byte {
			if c.row >= int64(len(installed)) {
				return append(b, null...)
			}
			_, version, _ := strings.Cut(installed[c.row], ":")
			return append(append(b, "19.0."...), choose(version == "", "1.0", version)...)
		},
		"modicon": func(_ *cell, b []byte) []byte { return append(b, "/base/static/description/icon.png"...) },
		"paramvalue": func(c *cell, b []byte) []byte {
			key, val := parameters[c.row][0], parameters[c.row][1]
			switch {
			case val != "":
				return append(b, escape(val)...)
			case key == "database.create_date":
				return appendTime(b, lastDay-yearSpan)
			case strings.HasPrefix(key, "database."):
				return c.uuid(b)
			}
			return c.base64(b, 43)
		},
		// ir_model_data must know base.autovacuum_job, by which neutralizing finds
		// the one scheduled action that stays on.
		"xmlname": func(c *cell, b []byte) []byte {
			if c.row == 0 {
				return append(b, "autovacuum_job"...)
			}
			return appendPadded(append(b, "record_"...), c.row, 6)
		},
		"xmlmodule": func(c *cell, b []byte) []byte {
			if c.row == 0 {
				return append(b, "base"...)
			}
			name, _, _ := strings.Cut(installed[c.skewed(int64(len(installed)))], ":")
			return append(b, name...)
		},
		"xmlmodel": func(c *cell, b []byte) []byte {
			if c.row < int64(len(crons)) {
				return append(b, "ir.cron"...)
			}
			return append(b, [...]string{"ir.ui.view", "ir.model.fields", "ir.model.fields.selection", "res.country.state"}[c.skewed(4)]...)
		},
		// The two views that neutralizing turns on, both off here.
		"viewkey": func(c *cell, b []byte) []byte {
			if c.row < int64(len(bannerViews)) {
				return append(b, bannerViews[c.row]...)
			}
			return appendInt(append(b, "web.view_"...), c.row)
		},
		"viewactive": func(c *cell, b []byte) []byte {
			return append(b, choose(c.row < int64(len(bannerViews)), "f", "t")...)
		},
	}
}

var bannerViews = []string{"web.neutralize_banner", "website.neutralize_ribbon"}

func choose(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

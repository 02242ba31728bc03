package bench

// Parts of the mails that odoo-like servers send: long, and the same in every
// message, which is why the tables of messages compress so well.
const (
	mailHead = `<div style="background-color: #f1f1f1; font-family: Verdana, Arial, sans-serif; color: #454748; width: 100%; margin: 0; padding: 0;">\n` +
		`<table border="0" cellpadding="0" cellspacing="0" style="padding-top: 16px; border-collapse: separate; width: 100%;">\n<tbody><tr><td align="center">\n` +
		`<table border="0" cellpadding="0" cellspacing="0" width="590" style="padding: 16px; background-color: white;">\n<tbody><tr><td valign="middle">\n<span style="font-size: 10px;">`
	mailButton = `</p>\n<div style="margin: 16px 0px;"><a style="background-color: #875a7b; padding: 8px 16px; text-decoration: none; color: #ffffff; border-radius: 5px;" href="/mail/view?model=`
	mailFoot   = `</p>\n</td></tr></tbody></table>\n</td></tr></tbody></table>\n<p style="color: #555555; font-size: 11px; margin-top: 16px;">Powered by <a target="_blank" href="https://www.example.com">Example</a></p>\n</div>`
)

// body writes a message's body: most are short notes and notices, some whole mails.
func (c *cell) body(b []byte) []byte {
	if sized(c.row) && !c.sample {
		return c.long(b)
	}
	switch kind := c.n(200); {
	case kind < 60: // a change of tracked fields has no text
		return b
	case kind < 80:
		return append(c.title(append(b, "<p>"...), 2+c.n(4)), "</p>"...)
	case kind < 120:
		return c.html(b)
	case kind < 122:
		return append(b, awkward[c.n(int64(len(awkward)))]...)
	case kind < 128:
		return append(c.sentences(append(b, "<p>"...), 5+c.n(12)), "</p>"...)
	}
	return c.mail(b)
}

// mail writes a whole mail in Odoo's usual layout.
func (c *cell) mail(b []byte) []byte {
	b = append(b, mailHead...)
	b = c.title(b, 3)
	b = append(b, `</span><br>\n<p>Hello `...)
	b = append(b, givenNames[c.n(int64(len(givenNames)))]...)
	b = append(b, `,</p>\n<p>`...)
	for range 1 + c.skewed(6) {
		b = append(c.sentences(b, 1+c.n(4)), `<br><br>\n`...)
	}
	b = append(b, mailButton...)
	b = append(b, models[c.skewed(int64(len(models)))]...)
	b = append(appendInt(append(b, "&amp;res_id="...), c.n(c.rows+1)), `">View</a></div>\n<p>`...)
	return append(c.sentences(b, 1), mailFoot...)
}

// models are the models that messages and attachments belong to.
var models = []string{
	"account.move", "sale.order", "stock.picking", "res.partner", "project.task", "purchase.order", "crm.lead",
	"product.template", "hr.employee", "mail.channel", "account.payment", "calendar.event",
}

func (c *cell) model(b []byte) []byte { return append(b, models[c.skewed(int64(len(models)))]...) }

func (c *cell) person(b []byte) []byte {
	b = append(b, givenNames[c.n(int64(len(givenNames)))]...)
	b = append(b, ' ')
	b = append(b, familyName[c.n(int64(len(familyName)))]...)
	if c.n(3) == 0 {
		b = append(b, ", "...)
		b = c.title(b, 1+c.n(3))
	}
	return b
}

func (c *cell) email(b []byte) []byte {
	b = append(b, "user."...)
	b = appendInt(b, c.skewed(20_000))
	return append(b, "@example.com"...)
}

// messageID writes what a mail server calls a message.
func (c *cell) messageID(b []byte) []byte {
	b = append(b, '<')
	b = appendInt(b, 100_000_000_000_000+c.n(900_000_000_000_000))
	b = append(b, '.')
	b = appendInt(b, c.when/second)
	b = append(b, '.')
	b = appendInt(b, 100_000_000_000_000+c.n(900_000_000_000_000))
	b = append(b, "-openerp-"...)
	b = appendInt(b, c.n(5000))
	b = append(b, '-')
	return append(c.model(b), "@odoo>"...)
}

package bench

import (
	"slices"
	"strings"
)

// Common words of business mail, most frequent first; the rest of the
// vocabulary is made of syllables.
const commonWords = `the to and of for a in is we your on please order with this be you delivery invoice from
our as will not have are that by at it payment customer product can been or new date if number line stock
update attached regards thank price quantity received project task meeting sent team company due amount
warehouse all month status contract next week request ready account changed need total tax service report
supplier partner confirm quote address before after issue item today shipment would change contact note
details purchase sales review agreed budget draft approved cancelled pending returned overdue discount`

// Words that test more than a client's alphabet.
const foreignWords = `für Größe straße facturé déjà année señor português złoty čeština Ελληνικά привет заказ
счёт 注文 請求書 发票 주문 فاتورة חשבונית naïve coöperatie Ærø €uro ½ – … “quoted” l’été emoji😀 👩‍💻 100% R&amp;D a&lt;b`

const vocabularySize = 2400

// vocabulary is a table of words to draw from evenly, in which the common ones
// stand more often; each ends with a blank.
var vocabulary = makeVocabulary()

var (
	givenNames = strings.Fields("Anna Marc Azure Brandon Chloé Deco Edwin Floyd Gemini José Jürgen Łukasz Mitchell Nadia Oscar Petra Søren Wei Zoë Óscar")
	familyName = strings.Fields("Adams Brown Dubois García Hernández Interior Jackson Ka Kowalski Lambert Meyer Müller Nguyen O'Neill Peeters Rossi Šimůnek Smith Wang 山田")
	cities     = strings.Fields("Brussels Scranton Liège München København Kraków Zürich São-Paulo 東京 Hưng-Yên")
)

func makeVocabulary() []string {
	r := seeded(1, "vocabulary", 0)
	words := strings.Fields(commonWords)
	foreign := strings.Fields(foreignWords)
	onsets := strings.Fields("b c d f g l m n p r s t v br cr pl st tr")
	vowels := strings.Fields("a e i o u ai ea io")
	codas := strings.Fields("n r s t l m ng nt st")
	for len(words) < vocabularySize {
		var w strings.Builder
		for range 1 + r.n(3) {
			w.WriteString(onsets[r.n(int64(len(onsets)))] + vowels[r.n(int64(len(vowels)))])
		}
		w.WriteString(codas[r.n(int64(len(codas)))])
		words = append(words, w.String())
		if len(words)%60 == 0 {
			words = append(words, foreign[r.n(int64(len(foreign)))])
		}
	}
	table := make([]string, 1<<12)
	for i := range table {
		// The power makes a word's frequency fall with its rank, as in any language.
		u := float64(i) / float64(len(table))
		table[i] = words[int(u*u*u*u*u*float64(len(words)))] + " "
	}
	return table
}

// words writes n words.
func (c *cell) words(b []byte, n int64) []byte {
	x, left := c.next(), 5
	for ; n > 0; n-- {
		if left == 0 {
			x, left = c.next(), 5
		}
		b = append(b, vocabulary[x&(1<<12-1)]...)
		x >>= 12
		left--
	}
	return b[:len(b)-1]
}

// title writes n words, the first with a capital letter.
func (c *cell) title(b []byte, n int64) []byte {
	at := len(b)
	b = c.words(b, n)
	if b[at] >= 'a' && b[at] <= 'z' {
		b[at] -= 'a' - 'A'
	}
	return b
}

// phrases are what people and machines write again and again.
var phrases = []string{
	"Thank you for your order.", "Please find attached the requested document.", "Let me know if you have any questions.",
	"The delivery has been scheduled.", "Do not hesitate to contact us if you have any question.",
	"Your quotation is ready for review.", "The payment has been received.", "Kind regards,",
}

// sentences writes n sentences, some of them stock phrases.
func (c *cell) sentences(b []byte, n int64) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ' ')
		}
		if c.n(5) < 4 {
			b = append(b, phrases[c.n(int64(len(phrases)))]...)
			continue
		}
		b = append(c.title(b, 5+c.n(14)), '.')
	}
	return b
}

// awkward are values that have broken dump tools, as COPY text.
var awkward = []string{
	``, ` `, `\\`, `\\N`, `\\.`, `\\.\n`, `a\tb`, `line one\nline two\r\nline three`, `\n\n`, `trailing blank `,
	`C:\\Program Files\\Odoo`, `'; DROP TABLE res_users; --`, `$$ $body$`, `"quoted", 'single'`, `{"json": "like"}`,
	`NULL`, `null`, `\b\f\v`, "\u200b\u00a0", "e\u0301 \U0001F468\u200d\U0001F469\u200d\U0001F467", `%s %(name)s {0}`,
	`COPY public.res_users (id) FROM stdin;\n1\n\\.\n`, `\\restrict x\n\\unrestrict x`, `-- \\connect postgres\n`,
}

// text writes a note: a few sentences, now and then something awkward.
func (c *cell) text(b []byte) []byte {
	switch c.n(150) {
	case 0:
		return append(b, awkward[c.n(int64(len(awkward)))]...)
	case 1:
		b = c.sentences(b, 2)
		b = append(b, `\n\n\t- `...)
		return append(c.sentences(b, 2), `\\`...)
	}
	return c.sentences(b, 1+c.skewed(4))
}

// html writes a short rich text.
func (c *cell) html(b []byte) []byte {
	b = append(b, "<p>"...)
	b = c.sentences(b, 1+c.skewed(4))
	if c.n(6) == 0 {
		b = append(b, "<br></p><ul>"...)
		for range 1 + c.n(4) {
			b = append(b, "<li>"...)
			b = append(c.title(b, 2+c.n(6)), "</li>"...)
		}
		return append(b, "</ul>"...)
	}
	return append(b, "</p>"...)
}

// JSON strings of translated names.
func (c *cell) translated(b []byte, write func(b []byte) []byte) []byte {
	b = append(b, `{"en_US": "`...)
	b = write(b)
	if c.n(4) == 0 {
		b = append(b, `", "fr_FR": "`...)
		b = write(b)
	}
	return append(b, `"}`...)
}

// sized returns the rows at which very long values stand: the 38th, and one in
// some thousand after it.
func sized(row int64) bool { return row%6144 == 37 }

// long writes a message with an image or a table inlined: 100 to 400 kB.
func (c *cell) long(b []byte) []byte {
	size := int(100_000 + c.n(300_000))
	b = append(b, `<div class="o_mail_doc"><p>`...)
	b = append(c.sentences(b, 2), "</p>"...)
	if c.n(4) == 0 {
		b = append(b, `<img src="data:image/png;base64,`...)
		b = c.base64(b, size)
		return append(b, `"></div>`...)
	}
	b = append(b, "<table><tbody>"...)
	for end := len(b) + size; len(b) < end; {
		b = append(b, `\n<tr><td style="padding: 4px; border: 1px solid #dddddd;">`...)
		b = append(c.words(b, 2), `</td><td style="text-align: right;">`...)
		b = append(appendCents(b, c.n(1_000_000)), "</td></tr>"...)
	}
	return append(b, "</tbody></table></div>"...)
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func (c *cell) base64(b []byte, n int) []byte {
	b = slices.Grow(b, n)
	for n > 0 {
		x := c.next()
		for i := 0; i < 10 && n > 0; i, n = i+1, n-1 {
			b = append(b, base64Digits[x&63])
			x >>= 6
		}
	}
	return b
}

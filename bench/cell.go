package bench

import (
	"strconv"
	"time"
)

// cell is what the values of one row have in common, so that they fit together.
type cell struct {
	rng
	row    int64 // from 0
	id     int64
	rows   int64       // of the table
	when   int64       // microseconds since 1970: when the row was created
	uid    int64       // who created it
	amount int64       // cents, never negative
	credit bool        // the amount is to be taken off
	file   *attachment // of a row of ir_attachment
	stored *attachment // the last one with a file of its own
	sample bool        // the row is only made to be measured: nothing is written for it
}

// value appends the COPY text of one column's value in row c.
type value func(c *cell, b []byte) []byte

// The rows of a table are spread over the three years before this day, oldest
// first. It is fixed: the same seed gives the same rows on any day.
var lastDay = time.Date(2026, 6, 30, 18, 0, 0, 0, time.UTC).UnixMicro()

const (
	second   = int64(1_000_000)
	day      = 86400 * second
	yearSpan = 3 * 365 * day
)

// start makes the cell of a row; its generator must have been seeded.
func (c *cell) start(t *table, row, users int64) {
	c.row, c.id, c.rows = row, t.firstID+row, t.rows
	step := yearSpan / max(t.rows, 1)
	c.when = lastDay - yearSpan + row*step + c.n(max(step, 1))
	if c.n(8) > 0 { // many rows of one transaction share its time
		c.when -= c.when % (3600 * second / 4)
	}
	c.uid = 1 + c.skewed(users)
	bits := c.next()
	c.amount = c.n(100 << (bits % 14))
	if bits>>8%8 < 5 { // most prices are round
		c.amount -= c.amount % 50
	}
	c.credit = bits>>16&1 == 1
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// appendCents writes an amount of money as numeric.
func appendCents(b []byte, cents int64) []byte {
	if cents < 0 {
		b = append(b, '-')
		cents = -cents
	}
	b = appendInt(b, cents/100)
	return append(b, '.', byte('0'+cents/10%10), byte('0'+cents%10))
}

// appendPadded writes n with at least width digits.
func appendPadded(b []byte, n int64, width int) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	for i := len(text); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, text...)
}

// appendDate writes the day of a time given in microseconds.
func appendDate(b []byte, micros int64) []byte {
	// Days to civil date, by the usual reckoning in eras of 400 years that start
	// in March; time.Time.AppendFormat takes several times as long.
	z := micros/day + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	year, month := yoe+era*400, mp+3
	if mp >= 10 {
		year, month = year+1, mp-9
	}
	b = appendPadded(b, year, 4)
	b = append(b, '-')
	b = appendPadded(b, month, 2)
	b = append(b, '-')
	return appendPadded(b, doy-(153*mp+2)/5+1, 2)
}

// appendTime writes a timestamp without time zone, as PostgreSQL prints it.
func appendTime(b []byte, micros int64) []byte {
	b = appendDate(b, micros)
	b = append(b, ' ')
	sec := micros % day / second
	b = appendPadded(b, sec/3600, 2)
	b = append(b, ':')
	b = appendPadded(b, sec/60%60, 2)
	b = append(b, ':')
	b = appendPadded(b, sec%60, 2)
	frac := micros % second
	if frac == 0 {
		return b
	}
	width := 6
	for frac%10 == 0 {
		frac, width = frac/10, width-1
	}
	return appendPadded(append(b, '.'), frac, width)
}

const hexDigits = "0123456789abcdef"

func (c *cell) hex(b []byte, n int) []byte {
	for n > 0 {
		x := c.next()
		for i := 0; i < 16 && n > 0; i, n = i+1, n-1 {
			b = append(b, hexDigits[x&15])
			x >>= 4
		}
	}
	return b
}

// uuid writes a random UUID of version 4.
func (c *cell) uuid(b []byte) []byte {
	b = append(c.hex(b, 8), '-')
	b = append(c.hex(b, 4), '-', '4')
	b = append(c.hex(b, 3), '-', '8')
	b = append(c.hex(b, 3), '-')
	return c.hex(b, 12)
}

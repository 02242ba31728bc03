package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// compiler turns the words of the schema files into values.
type compiler struct {
	schema *schema
	lists  map[string][]string // values by row, for rows=list:NAME
	odoo   map[string]value    // sources made for one column of one table
}

// null is COPY's text for NULL.
const null = `\N`

// compile returns what writes a whole row of t, without the end of the line.
func (k *compiler) compile(t *table) (value, error) {
	var values []value
	if t.hasID() {
		values = append(values, func(c *cell, b []byte) []byte { return appendInt(b, c.id) })
	}
	for i := range t.columns {
		v, err := k.column(t, &t.columns[i])
		if err != nil {
			return nil, fmt.Errorf("table %s, column %s: %w", t.name, t.columns[i].name, err)
		}
		values = append(values, v)
	}
	if t.log {
		values = append(values, appendLog)
	}
	return func(c *cell, b []byte) []byte {
		for i, v := range values {
			if i > 0 {
				b = append(b, '\t')
			}
			b = v(c, b)
		}
		return b
	}, nil
}

// appendLog writes create_uid, create_date, write_uid and write_date.
func appendLog(c *cell, b []byte) []byte {
	b = append(appendInt(b, c.uid), '\t')
	at := len(b)
	b = append(appendTime(b, c.when), '\t')
	created := len(b) - at - 1
	if c.n(3) > 0 { // never written again
		b = append(appendInt(b, c.uid), '\t')
		return append(b, b[at:at+created]...)
	}
	b = append(appendInt(b, 1+c.skewed(c.uid)), '\t')
	return appendTime(b, min(c.when+c.n(20*day), lastDay))
}

// column makes the value of one column, NULLs included.
func (k *compiler) column(t *table, col *column) (value, error) {
	name, args := usual(col)
	if col.value != "" {
		name, args, _ = strings.Cut(strings.TrimSuffix(col.value, ")"), "(")
	}
	if t.rel {
		name, args = k.relSide(t, col)
	}
	if col.ref != "" && k.schema.byName[col.ref].rows == 0 {
		if col.notNull && t.rows > 0 {
			return nil, fmt.Errorf("refers to %s, which is empty", col.ref)
		}
		name = "null"
	}
	v, err := k.value(col, name, args)
	if err != nil || col.notNull {
		return v, err
	}
	nulls := col.nulls
	if nulls < 0 {
		nulls = usualNulls(col)
	}
	limit := uint64(nulls / 100 * (1 << 32))
	switch {
	case limit == 0:
		return v, nil
	case limit >= 1<<32:
		return writeConst(null), nil
	}
	return func(c *cell, b []byte) []byte {
		if c.next()>>32 < limit {
			return append(b, null...)
		}
		return v(c, b)
	}, nil
}

// relSide spreads the pairs of a relation table so that none comes twice.
func (k *compiler) relSide(t *table, col *column) (name, args string) {
	per := max(1, (t.rows+k.schema.byName[t.columns[0].ref].rows-1)/max(1, k.schema.byName[t.columns[0].ref].rows))
	if col == &t.columns[0] {
		return "left", strconv.FormatInt(per, 10)
	}
	return "right", strconv.FormatInt(per, 10)
}

func writeConst(s string) value { return func(_ *cell, b []byte) []byte { return append(b, s...) } }

// value makes a source of values by its name: first the plain ones, then those
// with arguments, then keys.
func (k *compiler) value(col *column, name, args string) (value, error) {
	if v := plain[name]; v != nil && col.ref == "" {
		return v, nil
	}
	if v := k.odoo[name]; v != nil {
		return v, nil
	}
	switch name {
	case "null":
		return writeConst(null), nil
	case "one":
		return oneOf(args)
	case "ref":
		return numbered(args, `%s`, func(c *cell) int64 { return c.row + 1 })
	case "near":
		if col.ref == "" { // the number of a document that several rows share
			return numbered(args, `%s`, func(c *cell) int64 { return c.row/4 + 1 })
		}
	case "jsonref":
		return numbered(args, `{"en_US": "%s"}`, func(c *cell) int64 { return c.row + 1 })
	case "list":
		list := k.lists[args]
		if len(list) == 0 {
			return nil, fmt.Errorf("unknown list %q", args)
		}
		return func(c *cell, b []byte) []byte { return append(b, list[c.row%int64(len(list))]...) }, nil
	case "attach":
		return attachmentField(args)
	}
	if v, err := ranged(name, args); v != nil || err != nil {
		return v, err
	}
	return k.key(col, name, args)
}

// ranged makes values that take a range of numbers.
func ranged(name, args string) (value, error) {
	lowText, highText, _ := strings.Cut(args, "-")
	low, err := strconv.ParseInt(lowText, 10, 64)
	if err != nil {
		return nil, nil
	}
	high, err := strconv.ParseInt(highText, 10, 64)
	if err != nil {
		high = low
	}
	span := high - low + 1
	switch name {
	case "int":
		return func(c *cell, b []byte) []byte { return appendInt(b, low+c.skewed(span)) }, nil
	case "float":
		return func(c *cell, b []byte) []byte {
			b = appendInt(b, low+c.n(high-low))
			return append(b, '.', byte('1'+c.n(9)))
		}, nil
	case "words":
		return func(c *cell, b []byte) []byte { return c.title(b, low+c.n(span)) }, nil
	case "json":
		return func(c *cell, b []byte) []byte {
			return c.translated(b, func(b []byte) []byte { return c.title(b, low+c.n(span)) })
		}, nil
	case "hex":
		return func(c *cell, b []byte) []byte { return c.hex(b, int(low)) }, nil
	case "bytes":
		return func(c *cell, b []byte) []byte { return c.hex(append(b, `\\x`...), 2*int(low+c.n(span))) }, nil
	case "groupmodel":
		return func(c *cell, b []byte) []byte { return append(b, models[(c.row/low)%int64(len(models))]...) }, nil
	}
	return nil, nil
}

// key makes the values of a foreign key, or of an integer that acts as one.
func (k *compiler) key(col *column, name, args string) (value, error) {
	first, count := int64(1), int64(0)
	if col.ref != "" {
		target := k.schema.byName[col.ref]
		first, count = target.firstID, target.rows
	}
	per, _ := strconv.ParseInt(args, 10, 64)
	number, err := keyNumber(name, count, max(per, 1))
	if err != nil {
		return nil, err
	}
	return func(c *cell, b []byte) []byte {
		n := number(c)
		if n < 0 {
			return append(b, null...)
		}
		return appendInt(b, first+n)
	}, nil
}

// keyNumber returns what picks the number, from 0, of the row referred to among
// count rows; below zero is NULL. A count of 0 stands for no bound.
func keyNumber(name string, count, per int64) (func(c *cell) int64, error) {
	switch name {
	case "zipf": // some are referred to much more often
		return func(c *cell) int64 { return c.skewed(count) }, nil
	case "near": // in step with the other table, as lines with their orders
		return func(c *cell) int64 {
			if c.rows < 1<<31 {
				return c.row * count / c.rows
			}
			return int64(float64(c.row) / float64(c.rows) * float64(count))
		}, nil
	case "back": // an earlier row of the same table
		return func(c *cell) int64 { return c.row - 1 - c.skewed(min(c.row, 1000)) }, nil
	case "tree": // a parent: an earlier row, most often one of the first
		return func(c *cell) int64 { return c.skewed(c.row+1) - 1 }, nil
	case "seq":
		if count == 0 {
			return func(c *cell) int64 { return c.row }, nil
		}
		return func(c *cell) int64 { return c.row % count }, nil
	case "first":
		return func(*cell) int64 { return 0 }, nil
	case "left": // with right: pairs that never come twice
		if count == 0 {
			return func(c *cell) int64 { return c.row / per }, nil
		}
		return func(c *cell) int64 { return c.row / per % count }, nil
	case "right":
		step := max(1, count/per)
		return func(c *cell) int64 {
			group := rng{state: uint64(c.row / per)}
			return (group.n(count) + c.row%per*step) % count
		}, nil
	}
	return nil, fmt.Errorf("unknown source of values %q", name)
}

// oneOf draws one of some values: VALUE[:WEIGHT]|...
func oneOf(args string) (value, error) {
	var choices []string
	for item := range strings.SplitSeq(args, "|") {
		text, weight, ok := cutLast(item, ":")
		n, err := strconv.Atoi(weight)
		if !ok || err != nil {
			text, n = item, 1
		}
		for range n {
			choices = append(choices, escape(text))
		}
	}
	if len(choices) == 1 {
		return writeConst(choices[0]), nil
	}
	return func(c *cell, b []byte) []byte { return append(b, choices[c.n(int64(len(choices)))]...) }, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// numbered writes a number into a pattern such as S%05d, and that into around.
func numbered(pattern, around string, number func(c *cell) int64) (value, error) {
	pattern = strings.Replace(around, "%s", escape(pattern), 1)
	before, after, ok := strings.Cut(pattern, "%")
	spec, tail, ok2 := strings.Cut(after, "d")
	width, err := strconv.Atoi("0" + spec)
	if !ok || !ok2 || err != nil {
		return nil, fmt.Errorf("no number in %q", pattern)
	}
	tail = strings.ReplaceAll(tail, "%%", "%")
	return func(c *cell, b []byte) []byte {
		b = append(b, before...)
		return append(appendPadded(b, number(c), width), tail...)
	}, nil
}

// escape makes COPY text of a string.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(s)
}

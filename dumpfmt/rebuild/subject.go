package rebuild

import (
	"errors"
	"fmt"
	"strings"

	"odx/dumpfmt"
	"odx/dumpfmt/sqlscript"
)

// subject is what the SQL of an item says of what it makes.
type subject struct {
	schema    string
	hasSchema bool
	anySchema bool   // the SQL does not say
	name      string // "" if the SQL does not say
	hasArgs   bool   // the tag is the name and arguments
	anyTag    bool   // the SQL does not say

	on       key // relation that it belongs to
	own      string
	to       key   // what else it names: the referenced or the parent relation
	parents  []key // tables that it inherits from or, before 14, is attached to
	relkind  byte
	hasIndex bool // a constraint with an index
	isUnique bool // an index that a foreign key can use
	isDomain bool // a constraint of a domain
	isReturn bool // the rule of a view
	isSwitch bool // a trigger or rule that is only switched on or off
}

// key is the name of the subject with its schema.
func (s *subject) key() key { return key{s.schema, s.name} }

// fitTag gives the tag if the header's fits to it.
func (s *subject) fitTag(header string) (string, bool) {
	switch {
	case s.anyTag:
		return header, true
	case s.hasArgs:
		args, ok := strings.CutPrefix(header, sanitize(s.name)+"(")
		return s.name + "(" + args, ok
	}
	return s.name, sanitize(s.name) == header
}

// identify finds the reading of the header that the definition agrees with.
func (b *builder) identify(it *item) error {
	readings := it.header.Readings()
	if len(readings) == 0 {
		return errors.New("header has no type and schema")
	}
	isKnown := false
	for _, r := range readings {
		k, ok := kinds[r.Desc]
		if !ok || (r.Desc == descStatistics) != (it.header.Prefix == sqlscript.PrefixStatistics) {
			continue
		}
		isKnown = true
		var s subject
		if k.parse(newCursor(it.text, b.isConforming()), &s) && b.readNames(it, r, s) {
			it.subject = s
			b.frame.HasOwners = b.frame.HasOwners || it.entry.Owner.Valid && it.entry.Owner.String != ""
			return nil
		}
	}
	if !isKnown {
		return fmt.Errorf("%w: items of type %.80q", dumpfmt.ErrUnsupported, readings[0].Desc)
	}
	return errors.New("header and definition do not agree")
}

// starts makes a parser of definitions that start with these words and of
// which the header says all.
func starts(words ...string) func(*cursor, *subject) bool {
	return func(c *cursor, s *subject) bool {
		s.anySchema, s.anyTag = true, true
		return c.words(words...)
	}
}

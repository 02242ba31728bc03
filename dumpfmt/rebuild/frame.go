package rebuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

// The comments at the start and the end of a script.
const (
	ruler      = "--\n"
	bannerText = "-- PostgreSQL database dump\n"
	footerText = "-- PostgreSQL database dump complete\n"
	remoteText = "-- Dumped from database version "
	dumperText = "-- Dumped by pg_dump version "
	startedText,
	completedText = "-- Started on ", "-- Completed on "
	restrictText   = `\restrict `
	unrestrictText = `\unrestrict `
)

// The releases whose scripts are known.
const oldestMajor, newestMajor = 13, 18

// Knows tells whether scripts of a pg_dump of this version are read, such as "15.20".
func Knows(dumper string) bool {
	major, ok := dumpfmt.LeadingNumber(dumper)
	return ok && oldestMajor <= major && major <= newestMajor
}

// readStart reads what stands before the items.
func (b *builder) readStart() error {
	err := b.expect(ruler, bannerText, ruler, "\n")
	if err == nil && b.has(sqlscript.Command, restrictText) {
		if b.frame.RestrictKey, err = b.line(sqlscript.Command, restrictText); err == nil {
			err = b.expect("\n")
		}
	}
	if err != nil {
		return err
	}
	if err := b.readVersions(); err != nil {
		return err
	}
	if b.has(sqlscript.Comment, startedText) {
		if b.frame.Started, err = b.line(sqlscript.Comment, startedText); err != nil {
			return err
		}
		if err := b.expect("\n"); err != nil {
			return err
		}
	}
	if b.frame.Settings, err = b.readSettings(); err != nil {
		return err
	}
	return b.readDrop()
}

func (b *builder) readVersions() (err error) {
	if b.remote, err = b.line(sqlscript.Comment, remoteText); err != nil {
		return err
	}
	place := b.piece
	if b.dumper, err = b.line(sqlscript.Comment, dumperText); err != nil {
		return err
	}
	var ok bool
	if b.major, ok = dumpfmt.LeadingNumber(b.dumper); !ok {
		return b.sc.FormatError(place, fmt.Errorf("version of pg_dump %.80q", b.dumper))
	}
	if !Knows(b.dumper) {
		return b.sc.FormatError(place, fmt.Errorf("%w: script of pg_dump %d; known are %d to %d",
			dumpfmt.ErrUnsupported, b.major, oldestMajor, newestMajor))
	}
	switch {
	case b.major >= 17:
		b.version = pgarchive.Version16
	case b.major == 16:
		b.version = pgarchive.Version15
	default:
		b.version = pgarchive.Version14
	}
	return b.expect("\n")
}

// groups tells whether large objects come in groups, each with a BLOB METADATA
// and a BLOBS entry.
func (b *builder) groups() bool { return b.version.AtLeast(pgarchive.Version16) }

const (
	encodingText   = "SET client_encoding = '"
	searchPathText = "SELECT pg_catalog.set_config('search_path', "
)

// securityOn is what --enable-row-security sets.
const securityOn = "SET row_security = on;\n"

// settings are the statements of the SET block in their order. Which of them
// are there depends on the release that printed the script.
var settings = []string{
	"SET statement_timeout = 0;\n",
	"SET lock_timeout = 0;\n",
	"SET idle_in_transaction_session_timeout = 0;\n",
	"SET transaction_timeout = 0;\n",
	encodingText,
	"SET standard_conforming_strings = ",
	searchPathText,
	"SET check_function_bodies = false;\n",
	"SET xmloption = content;\n",
	"SET client_min_messages = warning;\n",
	"SET escape_string_warning = off;\n",
	"SET row_security = off;\n",
}

// readSettings reads the SET block and gives its text.
func (b *builder) readSettings() (string, error) {
	var text strings.Builder
	left := settings
	for b.is(sqlscript.Statement) {
		i := slices.IndexFunc(left, func(want string) bool { return b.has(sqlscript.Statement, want) })
		switch {
		case i < 0 && b.has(sqlscript.Statement, securityOn):
			return "", b.fail(fmt.Errorf("%w: script of pg_dump --enable-row-security, which may lack the rows that "+
				"policies hide; dump without that option", dumpfmt.ErrUnsupported))
		case i < 0:
			return "", b.unexpected("a setting that pg_dump writes")
		}
		left = left[i+1:]
		text.Write(b.piece.Data)
		if err := b.next(); err != nil {
			return "", err
		}
	}
	if !strings.Contains(text.String(), encodingText) || !strings.Contains(text.String(), settings[5]) {
		return "", b.unexpected("the settings of the client encoding and of standard_conforming_strings")
	}
	return text.String(), b.expect("\n")
}

// setting gives the statement of the SET block that starts so.
func (f *Frame) setting(prefix string) string {
	for line := range strings.Lines(f.Settings) {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

const (
	dropDatabase = "DROP DATABASE "
	roleText     = "SET SESSION AUTHORIZATION "
)

// readDrop reads the DROP DATABASE of --clean --create. Other DROPs are
// refused.
func (b *builder) readDrop() error {
	if b.has(sqlscript.Statement, dropDatabase) {
		b.frame.DropDatabase = string(b.piece.Data)
		return b.next()
	}
	switch {
	case b.has(sqlscript.Statement, roleText):
		return b.fail(fmt.Errorf("%w: script of pg_dump --use-set-session-authorization", dumpfmt.ErrUnsupported))
	case b.is(sqlscript.Statement) && !b.isDefault():
		return b.fail(fmt.Errorf("%w: script with DROP statements, of pg_dump --clean", dumpfmt.ErrUnsupported))
	}
	return nil
}

// readConnect reads how a script goes on in the database that it made.
func (b *builder) readConnect() error {
	if key := b.frame.RestrictKey; key != "" {
		if err := b.expect(unrestrictText + key + "\n"); err != nil {
			return err
		}
	}
	if err := b.readTarget(); err != nil {
		return err
	}
	if key := b.frame.RestrictKey; key != "" {
		if err := b.expect(restrictText + key + "\n"); err != nil {
			return err
		}
	}
	if err := b.expect("\n"); err != nil {
		return err
	}
	place := b.piece
	again, err := b.readSettings()
	if err == nil && again != b.frame.Settings {
		err = b.sc.FormatError(place, errors.New("settings differ from those at the start"))
	}
	b.space, b.am = pgarchive.NullString{}, pgarchive.NullString{}
	return err
}

// readTarget reads the lines that connect, which are the same each time.
func (b *builder) readTarget() error {
	place, text := b.piece, ""
	for _, command := range []string{`\encoding `, `\connect `} {
		if b.has(sqlscript.Command, command) {
			text += string(b.piece.Data)
			if err := b.next(); err != nil {
				return err
			}
		} else if command == `\connect ` {
			return b.unexpected(command)
		}
	}
	if b.frame.Connect != "" && b.frame.Connect != text {
		return b.sc.FormatError(place, errors.New("script connects to a second database"))
	}
	b.frame.Connect = text
	return nil
}

// readEnd reads what stands after the items.
func (b *builder) readEnd() (err error) {
	if b.isSet.space || b.isSet.am {
		return b.unexpected("an item after a default was set")
	}
	if b.has(sqlscript.Comment, completedText) {
		if b.frame.Completed, err = b.line(sqlscript.Comment, completedText); err != nil {
			return err
		}
		if err := b.expect("\n"); err != nil {
			return err
		}
	}
	if b.isEnd || !b.is(sqlscript.Comment) {
		return b.unexpected("the header of an item or the end of the dump")
	}
	if err := b.expect(ruler, footerText, ruler); err != nil {
		return err
	}
	if err := b.expect("\n"); err != nil {
		return err
	}
	if key := b.frame.RestrictKey; key != "" {
		if err := b.expect(unrestrictText+key+"\n", "\n"); err != nil {
			return err
		}
	}
	if !b.isEnd {
		return b.unexpected("the end of the script")
	}
	return nil
}

// The statements that set a default for the items after them.
const (
	spaceText = "SET default_tablespace = "
	amText    = "SET default_table_access_method = "
)

func (b *builder) isDefault() bool {
	return b.has(sqlscript.Statement, spaceText) || b.has(sqlscript.Statement, amText)
}

// readDefault reads a statement that sets a default.
func (b *builder) readDefault() error {
	c := newCursor(string(b.piece.Data), b.isConforming())
	isSpace := b.has(sqlscript.Statement, spaceText)
	c.skip(3) // SET, the name, =
	value, ok := b.printedName(c)
	if isSpace && !ok {
		ok = c.symbol("''")
	}
	if !ok || !c.symbol(";") || !c.atEnd() || isSpace && b.isSet.am || isSpace && b.isSet.space || !isSpace && b.isSet.am {
		return b.unexpected("a default as pg_dump sets it")
	}
	if isSpace {
		b.space, b.isSet.space = pgarchive.Str(value), true
	} else {
		b.am, b.isSet.am = pgarchive.Str(value), true
	}
	if err := b.next(); err != nil {
		return err
	}
	return b.expect("\n")
}

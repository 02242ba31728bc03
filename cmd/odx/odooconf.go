package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// odooConf holds what odx takes from an Odoo configuration file. What the file
// does not say, or says with the words False or None, is empty.
type odooConf struct {
	Path string // the file, "" if there is none

	DBHost, DBUser, DBPassword, DBSSLMode string
	DBPort                                int
	DBNames                               []string
	DataDir                               string // absolute
	AddonsPath                            []string
	HTTPPort                              int
	Unaccent                              bool
}

// loadOdooConf finds and reads the configuration. Without any file it returns
// an empty one.
func loadOdooConf(flag string, getenv func(string) string, home string) (*odooConf, error) {
	path, err := findOdooConf(flag, getenv, home)
	if err != nil || path == "" {
		return &odooConf{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration of Odoo: %w", err)
	}
	return parseOdooConf(path, string(data), getenv, home)
}

// findOdooConf returns the path of the configuration file, looked for where
// Odoo does: the flag --config, the environment variable ODOO_RC, then two
// files in the home folder. A file that was named must be readable; of the
// others the first readable one counts, and without any the path is "".
func findOdooConf(flag string, getenv func(string) string, home string) (string, error) {
	for _, named := range []struct{ by, path string }{
		{"--config", flag},
		{"ODOO_RC", getenv("ODOO_RC")},
	} {
		if named.path == "" {
			continue
		}
		path := expandPath(named.path, nil, home)
		if err := checkReadable(path); err != nil {
			return "", fmt.Errorf("configuration of Odoo named by %s: %w", named.by, err)
		}
		return path, nil
	}
	if home == "" {
		return "", nil
	}
	for _, name := range []string{".odoorc", ".openerp_serverrc"} {
		// One that cannot be read is passed over: after su, HOME often is
		// somebody else's.
		path := filepath.Join(home, name)
		if checkReadable(path) == nil {
			return path, nil
		}
	}
	return "", nil
}

func checkReadable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder", path)
	}
	return err
}

// parseOdooConf takes odx's settings from the text of a configuration file.
func parseOdooConf(path, text string, getenv func(string) string, home string) (*odooConf, error) {
	options, err := parseINI(path, text)
	if err != nil {
		return nil, err
	}
	c := &odooConf{
		Path:       path,
		DBHost:     options.text("db_host"),
		DBUser:     options.text("db_user"),
		DBPassword: options.text("db_password"),
		DBSSLMode:  options.text("db_sslmode"),
		DBNames:    splitList(options.text("db_name")),
		Unaccent:   options.boolean("unaccent"),
	}
	if c.DBPort, err = options.port(path, "db_port"); err != nil {
		return nil, err
	}
	http := "http_port"
	if options.text(http) == "" {
		http = "xmlrpc_port" // its name up to Odoo 10
	}
	if c.HTTPPort, err = options.port(path, http); err != nil {
		return nil, err
	}
	if dir := options.text("data_dir"); dir != "" {
		c.DataDir = expandPath(dir, getenv, home)
	}
	for _, dir := range splitList(options.text("addons_path")) {
		c.AddonsPath = append(c.AddonsPath, expandPath(dir, getenv, home))
	}
	return c, nil
}

// splitList splits a list at its commas and drops blanks and empty items.
func splitList(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// defaultDataDir is Odoo's data folder where no configuration names one: in
// the home folder, or in /var/lib for a user whose home does not exist.
func defaultDataDir(getenv func(string) string, home string) string {
	if info, err := os.Stat(home); err != nil || !info.IsDir() {
		return "/var/lib/odoo"
	}
	if dir := getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "Odoo")
	}
	return filepath.Join(home, ".local", "share", "Odoo")
}

// expandPath makes a path of a configuration absolute as Odoo does: $VARIABLE
// where getenv is given, ~ and ~user at its beginning, then the current folder.
func expandPath(path string, getenv func(string) string, home string) string {
	if getenv != nil {
		path = expandVariables(path, getenv)
	}
	if strings.HasPrefix(path, "~") {
		name, rest, _ := strings.Cut(path[1:], "/")
		dir := home
		if name != "" {
			dir = ""
			if u, err := user.Lookup(name); err == nil {
				dir = u.HomeDir
			}
		}
		if dir != "" {
			path = filepath.Join(dir, rest)
		}
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

var variable = regexp.MustCompile(`\$(\w+|\{[^}]*\})`)

// expandVariables replaces $NAME and ${NAME}. As in Python, a variable that is
// not set stays as it is written.
func expandVariables(s string, getenv func(string) string) string {
	return variable.ReplaceAllStringFunc(s, func(written string) string {
		if value := getenv(strings.Trim(written[1:], "{}")); value != "" {
			return value
		}
		return written
	})
}

// iniOption is a value of a configuration file and the line it begins on.
type iniOption struct {
	value string
	line  int
}

// iniOptions are the options of one section, by lower-case name.
type iniOptions map[string]iniOption

// text is the value of an option, "" if it is unset.
func (o iniOptions) text(key string) string {
	switch v := o[key].value; v {
	case "False", "false", "None":
		return ""
	default:
		return v
	}
}

func (o iniOptions) boolean(key string) bool {
	switch strings.ToLower(o.text(key)) {
	case "true", "1", "yes", "on":
		return true
	}
	return false
}

func (o iniOptions) port(path, key string) (int, error) {
	text := o.text(key)
	if text == "" {
		return 0, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s:%d: %s is not a port number", path, o[key].line, key) // a damaged file may have a password there
	}
	return int(port), nil
}

// iniParser reads a file as Python's configparser.RawConfigParser does with
// its defaults. No message quotes a line, which may hold a password.
type iniParser struct {
	path     string
	sections map[string]iniOptions
	section  string // current section
	option   string // current option, "" if a line cannot continue one
	indent   int    // of the line that began the current option
}

// parseINI reads the section options; those of the section DEFAULT count for
// every section. A file without the section has no options.
func parseINI(path, text string) (iniOptions, error) {
	p := iniParser{path: path, sections: make(map[string]iniOptions)}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if err := p.line(number, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
	merged := make(iniOptions)
	if p.sections["options"] == nil {
		return merged, nil
	}
	for _, section := range []string{"DEFAULT", "options"} {
		for key, o := range p.sections[section] {
			o.value = strings.TrimRightFunc(o.value, unicode.IsSpace)
			merged[key] = o
		}
	}
	return merged, nil
}

// line takes in one line of the file.
func (p *iniParser) line(number int, line string) error {
	text := strings.TrimSpace(line)
	if strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";") {
		return nil
	}
	if text == "" { // part of a value that goes on below
		p.extend("")
		return nil
	}
	indent := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsSpace(r) })
	if p.option != "" && indent > p.indent {
		p.extend(text)
		return nil
	}
	p.indent = indent
	if end := strings.LastIndex(text, "]"); text[0] == '[' && end > 1 {
		return p.begin(text[1:end])
	}
	if p.section == "" {
		return errors.New("no [section] before the first option")
	}
	at := strings.IndexAny(text, "=:")
	if at < 0 {
		return errors.New(`neither "=" nor ":" after the name of an option`)
	}
	key := strings.ToLower(strings.TrimSpace(text[:at]))
	if key == "" {
		return errors.New("an option without a name")
	}
	if first, again := p.sections[p.section][key]; again {
		return fmt.Errorf("%s is given twice, first on line %d", key, first.line)
	}
	p.option = key
	p.sections[p.section][key] = iniOption{strings.TrimSpace(text[at+1:]), number}
	return nil
}

// begin starts a section.
func (p *iniParser) begin(section string) error {
	if p.sections[section] != nil && section != "DEFAULT" {
		return fmt.Errorf("section [%s] is there twice", section)
	}
	if p.sections[section] == nil {
		p.sections[section] = make(iniOptions)
	}
	p.section, p.option = section, ""
	return nil
}

// extend adds a line to the current option's value.
func (p *iniParser) extend(text string) {
	if p.option == "" {
		return
	}
	o := p.sections[p.section][p.option]
	o.value += "\n" + text
	p.sections[p.section][p.option] = o
}

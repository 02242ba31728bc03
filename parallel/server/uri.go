package server

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Params are connection parameters under libpq's keywords: host, port, user,
// password, dbname, sslmode, ... A missing key leaves the choice to libpq's
// defaults.
type Params map[string]string

// IsURI tells whether an argument is a connection URI rather than the name of
// a database.
func IsURI(s string) bool {
	return strings.HasPrefix(s, "postgresql://") || strings.HasPrefix(s, "postgres://")
}

// ParseURI takes a connection URI apart (PostgreSQL manual, 34.1.1.2). Its
// errors show nothing of the URI, which may hold a password. Where one with '/' or
// '?' as it is would be taken for the name of a database, a port or a
// parameter, and be shown by what uses these, it is refused, other than by libpq.
func ParseURI(uri string) (Params, error) {
	if !IsURI(uri) {
		return nil, errors.New("connection URI: does not start with postgresql://")
	}
	_, rest, _ := strings.Cut(uri, "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	p := Params{}
	hosts := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		hosts = authority[i+1:]
		user, password, _ := strings.Cut(authority[:i], ":")
		if err := errors.Join(p.setEscaped("user", user), p.setEscaped("password", password)); err != nil {
			return nil, err
		}
	}
	if strings.ContainsRune(path, '@') {
		return nil, unescaped("database")
	}
	if err := errors.Join(p.setHosts(hosts), p.setEscaped("dbname", path), p.setQuery(query)); err != nil {
		return nil, err
	}
	return p, nil
}

func unescaped(part string) error {
	return fmt.Errorf("connection URI: unexpected characters in its %s: "+
		"in a user, a password or a database name write '/' as %%2F, '?' as %%3F, '@' as %%40, '%%' as %%25", part)
}

func (p Params) setEscaped(key, value string) error {
	if value == "" {
		return nil
	}
	v, err := url.PathUnescape(value)
	if err != nil {
		return errors.New("connection URI: a '%' that does not begin a percent-encoded character is written %25")
	}
	p[key] = v
	return nil
}

func (p Params) setHosts(list string) error {
	var hosts, ports []string
	for _, h := range strings.Split(list, ",") {
		host, port := h, ""
		if rest, ok := strings.CutPrefix(h, "["); ok {
			host, port, ok = strings.Cut(rest, "]")
			if !ok {
				return errors.New("connection URI: '[' without ']'")
			}
			port = strings.TrimPrefix(port, ":")
		} else {
			host, port, _ = strings.Cut(h, ":")
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	if port := strings.Join(ports, ","); strings.Trim(port, ",") != "" {
		if strings.Trim(port, "0123456789,") != "" {
			return unescaped("port")
		}
		p["port"] = port
	}
	return p.setEscaped("host", strings.Join(hosts, ","))
}

func (p Params) setQuery(query string) error {
	for _, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return errors.New("connection URI: a parameter without '='")
		}
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return unescaped("parameters")
		}
		if key == "ssl" && value == "true" { // JDBC's spelling, which libpq takes too
			key, value = "sslmode", "require"
		}
		if err := p.setEscaped(key, value); err != nil {
			return err
		}
	}
	return nil
}

// dsn writes parameters as a keyword/value string, in a fixed order.
func (p Params) dsn() string {
	keys := make([]string, 0, len(p))
	for k := range p {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k + "='" + escape.Replace(p[k]) + "'"
	}
	return strings.Join(parts, " ")
}

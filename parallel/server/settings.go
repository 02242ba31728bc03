package server

import (
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Settings say how to reach a server. The zero value leaves everything to the
// PG* environment and libpq's defaults.
type Settings struct {
	Params Params // what the user said on the command line
	// A user and password to be tried when no other source gives a password
	// (db_user and db_password of odoo.conf). The password is used only if that
	// user is the one that connects.
	FallbackUser, FallbackPassword string
}

// libpqOnly are keywords that libpq knows and pgx would send to the server as
// run-time settings.
var libpqOnly = []string{"gssencmode", "keepalives", "keepalives_idle", "keepalives_interval",
	"keepalives_count", "tcp_user_timeout", "sslcrl", "sslcrldir", "requirepeer", "client_encoding",
	"ssl_min_protocol_version", "ssl_max_protocol_version", "load_balance_hosts", "sslcompression",
	"gsslib", "gssdelegation", "fallback_application_name", "sslkeylogfile"}

// secrets are keywords that no environment variable stands for: in argv
// everybody could read them.
var secrets = []string{"sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"}

// given copies the parameters that have a value. libpq and pgx do not agree on
// what an empty one means.
func (s Settings) given() Params {
	p := Params{}
	for k, v := range s.Params {
		if v != "" {
			p[k] = v
		}
	}
	return p
}

// Config gives pgx's configuration for one database of the server.
func (s Settings) Config(database, application string) (*pgx.ConnConfig, error) {
	p := s.given()
	for _, k := range secrets {
		if p[k] != "" {
			return nil, fmt.Errorf("connection settings: %s cannot be handed on to PostgreSQL's programs unseen", k)
		}
	}
	for _, k := range libpqOnly {
		delete(p, k)
	}
	if addr := p["hostaddr"]; addr != "" { // pgx has no second name for the host
		p["host"] = addr
		delete(p, "hostaddr")
	}
	p["dbname"] = database // the password file may have a line for it
	cfg, err := pgx.ParseConfig(p.dsn())
	if err != nil {
		return nil, fmt.Errorf("connection settings: %w", err)
	}
	cfg.Database = database
	cfg.RuntimeParams["application_name"] = application
	// A transaction pooler or an ALTER ROLE may have set another encoding.
	cfg.RuntimeParams["client_encoding"] = "UTF8"
	if cfg.Password == "" && (s.FallbackUser == "" || s.FallbackUser == cfg.User) {
		cfg.Password = s.FallbackPassword
	}
	return cfg, nil
}

// Child is what a PostgreSQL program needs to make the same connection.
type Child struct {
	DSN string            // for --dbname; never holds the password
	Set map[string]string // environment variables to set
}

// Child gives the connection for a PostgreSQL program. Options are
// server settings ("-c name=value ...") put before the user's own, so that the
// user's win.
func (s Settings) Child(database, application, options string) (Child, error) {
	cfg, err := s.Config(database, application)
	if err != nil {
		return Child{}, err
	}
	p := s.given()
	set := map[string]string{"PGAPPNAME": application}
	if cfg.Password != "" {
		set["PGPASSWORD"] = cfg.Password
	}
	own, given := p["options"]
	if !given {
		own = os.Getenv("PGOPTIONS")
	}
	if all := strings.TrimSpace(options + " " + own); all != "" {
		set["PGOPTIONS"] = all
	}
	for _, k := range []string{"password", "options", "application_name"} {
		delete(p, k)
	}
	p["dbname"] = database
	return Child{DSN: p.dsn(), Set: set}, nil
}

// Local tells whether the server is reached through a Unix socket, and so runs
// on this machine.
func (s Settings) Local() bool {
	cfg, err := s.Config("postgres", "odx")
	return err == nil && strings.HasPrefix(cfg.Host, "/")
}

// Address names the server for people: never a password.
func (s Settings) Address() string {
	cfg, err := s.Config("postgres", "odx")
	if err != nil {
		return "the server"
	}
	return fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
}

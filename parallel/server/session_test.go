package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/pgcluster"
)

// cluster is the server of all tests of the package. It asks for passwords on
// TCP, and has every time-out set.
var cluster *pgcluster.Cluster

const oddPassword = `p'w\ "=%?@:/ö`

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	var err error
	cluster, err = pgcluster.Start(context.Background(), pgcluster.Options{Settings: map[string]string{
		"statement_timeout": "3h", "lock_timeout": "3h", "idle_in_transaction_session_timeout": "3h",
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

// settings reach the cluster over its socket, whatever the environment says.
func settings() Settings {
	return Settings{Params: Params{"host": cluster.Host(), "port": fmt.Sprint(cluster.Port()), "user": cluster.User()}}
}

func open(t *testing.T, s Settings, database string) *Session {
	t.Helper()
	session, err := s.Open(t.Context(), database, "odx test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

func show(t *testing.T, s *Session, name string) (value string) {
	t.Helper()
	if err := s.Scan(t.Context(), "SHOW "+name, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestOpen_TimeOuts finds the server's time-outs off and the user's own options
// in force.
func TestOpen_TimeOuts(t *testing.T) {
	t.Setenv("PGOPTIONS", "-c work_mem=7MB -c statement_timeout=1h")
	s := open(t, settings(), "postgres")
	names := []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"}
	if s.Major() >= 14 {
		names = append(names, "idle_session_timeout")
	}
	if s.Major() >= 17 {
		names = append(names, "transaction_timeout")
	}
	for _, name := range names {
		if got := show(t, s, name); got != "0" {
			t.Errorf("%s is %s", name, got)
		}
	}
	for name, want := range map[string]string{"work_mem": "7MB", "application_name": "odx test", "client_encoding": "UTF8"} {
		if got := show(t, s, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if s.Version/10000 != cluster.Major() || !strings.HasPrefix(s.VersionTxt, fmt.Sprint(cluster.Major())) || s.Standby {
		t.Errorf("%+v", s)
	}
	if !settings().Local() || strings.Contains(settings().Address(), "'") {
		t.Errorf("local %t, address %s", settings().Local(), settings().Address())
	}
}

// TestOpen_OddNames connects to databases whose names look like something else.
func TestOpen_OddNames(t *testing.T) {
	admin := open(t, settings(), "postgres")
	for _, name := range []string{`quoted 'x' "y"`, `back\slash`, "host=evil dbname=x", "postgresql://evil/x", "Ünï", "$user", "-d"} {
		quoted := pgx.Identifier{name}.Sanitize()
		if err := admin.Exec(t.Context(), "CREATE DATABASE "+quoted); err != nil {
			t.Fatal(err)
		}
		s := open(t, settings(), name)
		var got string
		if err := s.Scan(t.Context(), "SELECT current_database()", &got); err != nil || got != name {
			t.Errorf("%q: connected to %q, %v", name, got, err)
		}
		s.Close()
		if err := admin.Exec(t.Context(), "DROP DATABASE "+quoted); err != nil {
			t.Error(err)
		}
	}
	_, err := settings().Open(t.Context(), "none", "odx test")
	if SQLState(err) != "3D000" {
		t.Errorf("no such database: %v", err)
	}
}

// TestWatch_Killed ends the session's backend: the watch must say so. The end
// of the context is no loss.
func TestWatch_Killed(t *testing.T) {
	s := open(t, settings(), "postgres")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Watch(ctx, time.Millisecond); err != nil {
		t.Errorf("the session lives, and the watch says %v", err)
	}
	var pid int
	if err := s.Scan(t.Context(), "SELECT pg_backend_pid()", &pid); err != nil {
		t.Fatal(err)
	}
	lost := make(chan error, 1)
	go func() { lost <- s.Watch(t.Context(), time.Millisecond) }()
	if err := open(t, settings(), "postgres").Exec(t.Context(), "SELECT pg_terminate_backend($1)", pid); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-lost:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("the loss was not noticed")
	}
	var none *Session
	none.Close()
}

// clearPG takes the environment's word on connections away.
func clearPG(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
}

// TestConfig_Precedence takes the strongest source away, one after the other.
func TestConfig_Precedence(t *testing.T) {
	clearPG(t)
	home := os.Getenv("HOME")
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("PGPASSFILE", write("pgpass", "*:*:other:*:wrong\nenvhost:*:mine:envuser:frompass\n*:*:*:svcuser:fromsvcpass\n"))
	t.Setenv("PGSERVICEFILE", write("service", "[svc]\nhost=svchost\nuser=svcuser\nport=7777\n"))
	t.Setenv("PGHOST", "envhost")
	t.Setenv("PGPORT", "6666")
	t.Setenv("PGUSER", "envuser")
	t.Setenv("PGDATABASE", "other")
	conf := func(p Params) Settings { return Settings{Params: p, FallbackUser: "envuser", FallbackPassword: "conf"} }
	for _, tt := range []struct {
		name string
		env  map[string]string
		s    Settings
		want string // user:password@host:port/database
	}{
		{"environment, password file by database", nil, conf(nil), "envuser:frompass@envhost:6666/mine"},
		{"flags", nil, conf(Params{"user": "me", "host": "h", "port": "1", "password": "p"}), "me:p@h:1/mine"},
		{"empty flags say nothing", nil, conf(Params{"user": "", "host": "", "port": "", "password": ""}), "envuser:frompass@envhost:6666/mine"},
		{"service", nil, conf(Params{"service": "svc"}), "svcuser:fromsvcpass@svchost:7777/mine"},
		{"flags before the service", nil, conf(Params{"service": "svc", "user": "me"}), "me:@svchost:7777/mine"},
		{"PGPASSWORD before the file", map[string]string{"PGPASSWORD": "env"}, conf(nil), "envuser:env@envhost:6666/mine"},
		{"odoo.conf comes last", map[string]string{"PGPASSFILE": "/nonexistent"}, conf(nil), "envuser:conf@envhost:6666/mine"},
		{"address", nil, conf(Params{"host": "h", "hostaddr": "127.0.0.1"}), "envuser:conf@127.0.0.1:6666/mine"},
		{"what only libpq knows", nil, conf(Params{"gssencmode": "disable", "keepalives": "1", "channel_binding": "prefer"}), "envuser:frompass@envhost:6666/mine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			cfg, err := tt.s.Config("mine", "odx")
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s:%s@%s:%d/%s", cfg.User, cfg.Password, cfg.Host, cfg.Port, cfg.Database)
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			for name := range cfg.RuntimeParams {
				if name != "application_name" && name != "client_encoding" {
					t.Errorf("the server is told %s=%q", name, cfg.RuntimeParams[name])
				}
			}
			child, err := tt.s.Child("mine", "odx", "")
			if err != nil || strings.Contains(child.DSN, "password") || child.Set["PGPASSWORD"] != cfg.Password {
				t.Errorf("%+v, %v", child, err)
			}
		})
	}
}

// TestChild_Secrets refuses what would stand in argv.
func TestChild_Secrets(t *testing.T) {
	for _, k := range secrets {
		_, err := Settings{Params: Params{"host": "h", k: "hidden"}}.Child("x", "odx", "")
		if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), k) {
			t.Errorf("%s: %v", k, err)
		}
	}
	_, err := Settings{Params: Params{"host": "h", "password": "hidden", "sslmode": "nonsense"}}.Config("x", "odx")
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error %v", err)
	}
}

// TestOpen_Password logs in over TCP with a password that is hard to quote.
func TestOpen_Password(t *testing.T) {
	clearPG(t)
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{Settings: map[string]string{
		"listen_addresses": "127.0.0.1", "port": fmt.Sprint(20000 + os.Getpid()%20000), "hba_file": hba(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	local := Settings{Params: Params{"host": c.Host(), "port": fmt.Sprint(c.Port()), "user": c.User()}}
	admin := open(t, local, "postgres")
	if err := admin.Exec(t.Context(), "CREATE ROLE secretive LOGIN PASSWORD "+quoteLiteral(oddPassword)); err != nil {
		t.Fatal(err)
	}
	tcp := Settings{Params: Params{"host": "127.0.0.1", "port": fmt.Sprint(c.Port()), "user": "secretive", "password": oddPassword}}
	s := open(t, tcp, "postgres")
	if got := show(t, s, "tcp_keepalives_idle"); got != "60" {
		t.Errorf("tcp_keepalives_idle is %s", got)
	}
	if tcp.Local() {
		t.Error("an address counts as local")
	}
	tcp.Params["password"] = "wrong"
	if _, err := tcp.Open(t.Context(), "postgres", "odx"); SQLState(err) != "28P01" || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password: %v", err)
	}
	if SQLState(errors.New("x")) != "" {
		t.Error("an error that is not the server's has a state")
	}
}

func quoteLiteral(s string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// hba writes a file that asks for passwords on TCP.
func hba(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "odx-test-hba-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "pg_hba.conf")
	text := "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(path, []byte(text), 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

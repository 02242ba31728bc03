package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/pgcluster"
)

// TestOpenReading copies the same over every kind of connection.
func TestOpenReading(t *testing.T) {
	clearPG(t)
	cert, key := certificate(t)
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{Settings: map[string]string{
		"listen_addresses": "127.0.0.1", "port": fmt.Sprint(20000 + os.Getpid()%20000),
		"ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	const rows, width = 20_000, 100
	for name, params := range map[string]Params{
		"socket": {"host": c.Host(), "sslmode": "disable"},
		"tcp":    {"host": "127.0.0.1", "sslmode": "disable"},
		"tls":    {"host": "127.0.0.1", "sslmode": "require"},
	} {
		t.Run(name, func(t *testing.T) {
			params["port"], params["user"] = fmt.Sprint(c.Port()), c.User()
			s, err := Settings{Params: params}.OpenReading(t.Context(), "postgres", "odx test", func(r io.Reader) io.Reader { return r })
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var isSecure bool
			if err := s.Scan(t.Context(), "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &isSecure); err != nil || isSecure != (name == "tls") {
				t.Errorf("TLS is %t, %v", isSecure, err)
			}
			var got, want bytes.Buffer
			for i := range rows {
				fmt.Fprintf(&want, "%0*d\n", width, i)
			}
			err = s.Do(func(c *pgx.Conn) error {
				_, err := c.PgConn().CopyTo(t.Context(), &got, fmt.Sprintf("COPY (SELECT lpad(i::text, %d, '0') FROM generate_series(0, %d) i) TO STDOUT", width, rows-1))
				return err
			})
			if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%d bytes of %d, %v", got.Len(), want.Len(), err)
			}
		})
	}
}

// certificate writes one for a server, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "odx-test-cert-") // the server has to be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cert, key = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	err = errors.Join(os.Chmod(dir, 0o755),
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o644),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	if err == nil && os.Geteuid() == 0 {
		err = giveToServer(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// giveToServer makes a file one of the user that clusters of root run as.
func giveToServer(path string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, -1)
}

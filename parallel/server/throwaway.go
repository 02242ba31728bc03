package server

import "strconv"

// ThrowAway gives the settings of a server that odx has started for itself. What the
// environment says is for the user's own server, so all that it could say is given.
func ThrowAway(host string, port int, user string) Settings {
	return Settings{Params: Params{
		"host": host, "port": strconv.Itoa(port), "user": user,
		"options": "-c search_path=public", "sslmode": "disable", "password": "none",
	}}
}

// DSN gives the connection to a database as a string for pgx, with the password.
func (s Settings) DSN(database string) string {
	p := s.given()
	p["dbname"] = database
	return p.dsn()
}

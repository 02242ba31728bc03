package odoo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrNoParameters is returned when the database has no ir_config_parameter
// with key and value, and so is not Odoo's.
var ErrNoParameters = errors.New("the database has no parameters of Odoo")

// defaultHTTPPort is Odoo's port where no configuration names one.
const defaultHTTPPort = 8069

// ResetCopy gives a copy its own identity: the six parameters that Odoo sets
// anew in ir.config_parameter.init(force=True), the same in Odoo 14 to 19. The
// new database.secret logs everybody out, the new database.uuid makes it
// another database to Odoo's services. httpPort is that of odoo.conf, 0 for
// Odoo's own. It returns the keys that were set.
func ResetCopy(ctx context.Context, q Querier, httpPort int) ([]string, error) {
	if httpPort == 0 {
		httpPort = defaultHTTPPort
	}
	s, err := readParameters(ctx, q)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	var done []string
	for _, p := range []struct{ key, value string }{
		{"database.secret", uuid4()},
		{"database.uuid", uuid1(now)},
		{"database.create_date", now.Format(time.DateTime)},
		{"web.base.url", "http://localhost:" + strconv.Itoa(httpPort)},
		{"base.login_cooldown_after", "10"},
		{"base.login_cooldown_duration", "60"},
	} {
		if err := s.setParameter(ctx, q, p.key, p.value); err != nil {
			return nil, fmt.Errorf("set %s: %w", p.key, err)
		}
		done = append(done, p.key)
	}
	return done, nil
}

// Statements of ResetSubscription. The parameters of a database already linked
// elsewhere belong to the subscription of the original.
var subscriptionStatements = []struct{ what, sql string }{
	{"subscription code removed", `DELETE FROM public.ir_config_parameter WHERE key = 'database.enterprise_code'`},
	{"links to another subscription removed", `DELETE FROM public.ir_config_parameter WHERE key IN (
'database.already_linked_subscription_url', 'database.already_linked_email', 'database.already_linked_send_mail_url')`},
	{"reason of expiry set to copy", `UPDATE public.ir_config_parameter SET value = 'copy'
WHERE key = 'database.expiration_reason' AND value NOT IN ('demo', 'copy')`},
	{"expiry set to two months from now", `UPDATE public.ir_config_parameter
SET value = to_char(current_date + interval '2 months', 'YYYY-MM-DD HH24:MI:SS') WHERE key = 'database.expiration_date'`},
}

// ResetSubscription unlinks a copy from the Odoo Enterprise subscription of its
// original, which is good for one database: the code goes, and what is there
// of an expiry becomes that of a copy. It returns what was changed, nothing
// for a database without a subscription.
func ResetSubscription(ctx context.Context, q Querier) ([]string, error) {
	if _, err := readParameters(ctx, q); err != nil {
		return nil, err
	}
	var done []string
	for _, s := range subscriptionStatements {
		tag, err := q.Exec(ctx, s.sql)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.what, err)
		}
		if tag.RowsAffected() > 0 {
			done = append(done, s.what)
		}
	}
	return done, nil
}

// readParameters reads the columns of ir_config_parameter.
func readParameters(ctx context.Context, q Querier) (schema, error) {
	s, err := readSchema(ctx, q, parameters)
	if err != nil {
		return nil, err
	}
	if !s.has(parameters, "key", "value") {
		return nil, ErrNoParameters
	}
	return s, nil
}

// parameters is the table of Odoo's system parameters.
const parameters = "ir_config_parameter"

// setParameter sets a parameter as Odoo's superuser does. It asks for no
// unique key, which a damaged database may lack.
func (s schema) setParameter(ctx context.Context, q Querier, key, value string) error {
	update := `UPDATE public.ir_config_parameter SET value = $2`
	insert, values := `INSERT INTO public.ir_config_parameter (key, value`, `) VALUES ($1, $2`
	const now = `(now() AT TIME ZONE 'UTC')`
	if s.has(parameters, "create_uid", "create_date", "write_uid", "write_date") {
		update += `, write_uid = 1, write_date = ` + now
		insert += `, create_uid, create_date, write_uid, write_date`
		values += `, 1, ` + now + `, 1, ` + now
	}
	tag, err := q.Exec(ctx, update+` WHERE key = $1`, key, value)
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	_, err = q.Exec(ctx, insert+values+`)`, key, value)
	return err
}

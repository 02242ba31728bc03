package retention

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Policy says how many backups of each kind are kept. Each number is one of
// those that have a backup; see the package comment.
type Policy struct {
	Last    int `json:"last"`
	Daily   int `json:"daily"`
	Weekly  int `json:"weekly"`
	Monthly int `json:"monthly"`
	Min     int `json:"min"` // the least number in all

	Location *time.Location `json:"-"` // whose days; nil: local time
}

// ErrNoPolicy is returned for a policy that keeps nothing on purpose.
var ErrNoPolicy = errors.New("nothing says what is to be kept")

func (p Policy) check() error {
	numbers := []int{p.Last, p.Daily, p.Weekly, p.Monthly, p.Min}
	if slices.Min(numbers) < 0 {
		return errors.New("a number of backups to be kept is negative")
	}
	if slices.Max(numbers) == 0 {
		return ErrNoPolicy
	}
	return nil
}

// period is a rule that keeps the newest backup of each of n periods.
type period struct {
	name string
	n    int
	of   func(time.Time) string
}

func (p Policy) periods() []period {
	return []period{
		{"day", p.Daily, func(t time.Time) string { return t.Format(time.DateOnly) }},
		{"week", p.Weekly, func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}},
		{"month", p.Monthly, func(t time.Time) string { return t.Format("2006-01") }},
	}
}

// Decide fills in why backups are kept, and orders them by database and what was
// left out, the newest first.
func Decide(backups []Backup, p Policy) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.Location == nil {
		p.Location = time.Local
	}
	sortBackups(backups)
	for i := range backups {
		backups[i].Keep = []string{}
	}
	for rest := backups; len(rest) > 0; {
		n := 1
		for n < len(rest) && slices.Equal(rest[n].kind(), rest[0].kind()) {
			n++
		}
		p.decide(dumps(rest[:n]))
		rest = rest[n:]
	}
	return nil
}

// made is one dump with its copies.
type made []*Backup

// dumps puts copies of one dump together. The newest stay first.
func dumps(backups []Backup) (list []made) {
	for i := range backups {
		b := &backups[i]
		if last := len(list) - 1; last >= 0 && list[last][0].Started.Equal(b.Started) && list[last][0].Finished.Equal(b.Finished) {
			list[last] = append(list[last], b)
		} else {
			list = append(list, made{b})
		}
	}
	return list
}

func (m made) keep(reason string) {
	for _, b := range m {
		b.Keep = append(b.Keep, reason)
	}
}

func (m made) kept() bool { return len(m[0].Keep) > 0 }

// decide judges the dumps of one kind, the newest first.
func (p Policy) decide(list []made) {
	for i, m := range list {
		if i < p.Last {
			m.keep("last")
		}
	}
	for _, rule := range p.periods() {
		seen := ""
		for _, m := range list {
			if of := rule.of(m[0].Started.In(p.Location)); rule.n > 0 && of != seen {
				m.keep(rule.name + " " + of)
				seen = of
				rule.n--
			}
		}
	}
	if !list[0].kept() {
		list[0].keep("newest")
	}
	whole := func(m made) bool { return m[0].Losses == 0 }
	if i := slices.IndexFunc(list, whole); i >= 0 && !list[i].kept() {
		list[i].keep("newest without losses")
	}
	kept := 0
	for _, m := range list {
		if m.kept() {
			kept++
		}
	}
	for _, m := range list {
		if kept < p.Min && !m.kept() {
			m.keep("least number")
			kept++
		}
	}
}

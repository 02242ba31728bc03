package pgtool

import "time"

// Usage is what a child and the processes that it waited for have used.
type Usage struct {
	// PeakRSS is the most memory that one of the processes had resident, in
	// bytes; 0 if unknown. For a child too short-lived to be looked at it may
	// be too high, by what this process had itself.
	PeakRSS int64         `json:"peak_rss"`
	User    time.Duration `json:"user_ns"`
	System  time.Duration `json:"system_ns"`
}

// CPU returns the processor time used in user and in system mode.
func (u Usage) CPU() time.Duration { return u.User + u.System }

// Add counts in another child that ran before, after or beside: the times are
// added up, the larger peak is kept.
func (u *Usage) Add(o Usage) {
	u.PeakRSS = max(u.PeakRSS, o.PeakRSS)
	u.User += o.User
	u.System += o.System
}

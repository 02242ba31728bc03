package odoozip

import "time"

// The years that a zip can tell, the first and the last.
const (
	firstYear = 1980
	lastYear  = firstYear + 127
)

// A dosTime is a date in the high half and a time in the low one: year from
// 1980, month, day; hour, minute, and half the seconds. It has no zone.
type dosTime uint32

// toDOS gives the wall clock of t, brought into the range of a zip.
func toDOS(t time.Time) dosTime {
	switch year := t.Year(); {
	case year < firstYear:
		t = time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	case year > lastYear:
		t = time.Date(lastYear, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	date := (t.Year()-firstYear)<<9 | int(t.Month())<<5 | t.Day()
	clock := t.Hour()<<11 | t.Minute()<<5 | t.Second()/2
	return dosTime(date<<16 | clock)
}

// time gives the wall clock, as UTC. What is not a date is brought into the
// range: some programs write zeros.
func (d dosTime) time() time.Time {
	date, clock := int(d>>16), int(d&0xffff)
	t := time.Date(date>>9+firstYear, time.Month(max(date>>5&15, 1)), max(date&31, 1),
		clock>>11, clock>>5&63, clock&31*2, 0, time.UTC)
	if t.Year() > lastYear {
		return time.Date(lastYear, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	return t
}

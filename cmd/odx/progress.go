package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"odx/parallel"
)

const (
	barInterval  = 200 * time.Millisecond
	lineInterval = time.Minute
)

// jsonInterval is how often --progress-json prints; overridden in tests.
var jsonInterval = time.Second

// show displays progress until the returned function is called: bars on a
// terminal, otherwise a line a minute, or JSON.
func (u *ui) show(p *parallel.Progress) (stop func()) {
	ctx := context.Background()
	switch {
	case u.progressJSON:
		return parallel.Every(ctx, jsonInterval, func() { u.progressLine(p) })
	case u.quiet || u.noProgress:
		return func() {}
	case u.terminal:
		bars := newBars(p)
		halt := parallel.Every(ctx, barInterval, func() { u.draw(bars.render(u.width())) })
		return func() { halt(); u.draw(nil) }
	}
	return parallel.Every(ctx, lineInterval, func() { u.say("odx: %s", progressWords(p)) })
}

// draw replaces the progress on the screen.
func (u *ui) draw(lines []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.eraseLocked()
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(u.stderr, "%s\x1b[%dA\r", strings.Join(lines, "\n")+"\n", len(lines))
	u.lines = len(lines)
}

// eraseLocked clears the progress below the cursor.
func (u *ui) eraseLocked() {
	if u.lines > 0 {
		fmt.Fprint(u.stderr, "\r\x1b[J")
		u.lines = 0
	}
}

// bars draws one bar for each meter that has something to show.
type bars struct {
	progress *parallel.Progress
	rows     []*barRow
}

type barRow struct {
	name  string
	meter *parallel.Meter
	bytes bool
	bar   *progressbar.ProgressBar
	total int64
}

func newBars(p *parallel.Progress) *bars {
	return &bars{progress: p, rows: []*barRow{
		{name: "database ", meter: &p.Database, bytes: true},
		{name: "indexes  ", meter: &p.Objects},
		{name: "filestore", meter: &p.Files, bytes: true},
	}}
}

func (b *bars) render(width int) []string {
	lines := []string{clip("odx: "+b.progress.Phase(), width)}
	for _, r := range b.rows {
		if line := r.render(width); line != "" {
			lines = append(lines, clip(line, width))
		}
	}
	return lines
}

// render gives the row's line. The bar of the library is set, never written
// to: as a writer it would stop a copy that is larger than it was told.
func (r *barRow) render(width int) string {
	done, total, items := r.meter.Read()
	if total == 0 {
		if done == 0 {
			return ""
		}
		return fmt.Sprintf("%s  %s, %d done", r.name, bytesText(done), items)
	}
	if r.bar == nil || r.total != total {
		r.total = total
		r.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(io.Discard),
			progressbar.OptionSetDescription(r.name), progressbar.OptionSetWidth(max(10, width/3)),
			progressbar.OptionShowBytes(r.bytes), progressbar.OptionShowTotalBytes(r.bytes),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionUseANSICodes(false))
	}
	if r.bar.Set64(done) != nil {
		return ""
	}
	return strings.TrimRight(strings.Trim(r.bar.String(), "\r\n"), " ")
}

func clip(line string, width int) string {
	runes := []rune(line)
	if len(runes) >= width && width > 0 {
		runes = runes[:width-1]
	}
	return string(runes)
}

// progressWords is the progress as one line of text.
func progressWords(p *parallel.Progress) string {
	words := []string{p.Phase()}
	for _, m := range []struct {
		name  string
		meter *parallel.Meter
	}{{"database", &p.Database}, {"filestore", &p.Files}} {
		done, total, items := m.meter.Read()
		switch {
		case total > 0:
			words = append(words, fmt.Sprintf("%s %d%% of %s", m.name, 100*done/total, bytesText(total)))
		case done > 0:
			words = append(words, fmt.Sprintf("%s %s, %d files", m.name, bytesText(done), items))
		}
	}
	if done, total, _ := p.Objects.Read(); done > 0 && total > 0 {
		words = append(words, fmt.Sprintf("indexes and keys %d%%", 100*done/total))
	}
	return strings.Join(words, ", ")
}

// meterJSON is one meter in --progress-json. Sizes are in bytes; objects count
// by weight.
type meterJSON struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total,omitempty"`
	Items int64 `json:"items"`
}

func readMeter(m *parallel.Meter) meterJSON {
	done, total, items := m.Read()
	return meterJSON{done, total, items}
}

func (u *ui) progressLine(p *parallel.Progress) {
	line, err := json.Marshal(struct {
		Time     time.Time `json:"time"`
		Phase    string    `json:"phase"`
		Database meterJSON `json:"database"`
		Objects  meterJSON `json:"objects"`
		Files    meterJSON `json:"files"`
	}{time.Now().UTC(), p.Phase(), readMeter(&p.Database), readMeter(&p.Objects), readMeter(&p.Files)})
	if err == nil {
		u.print(string(line))
	}
}

// bytesText gives a size for people.
func bytesText(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	f, i := float64(n), 0
	for f >= 1000 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

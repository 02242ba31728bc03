package results

import (
	"fmt"
	"image/color"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"odx/bench/contest"
)

var (
	odxColor  = color.RGBA{R: 0x71, G: 0x4b, B: 0x67, A: 0xff}
	peerColor = color.RGBA{R: 0xb8, G: 0xb8, B: 0xc0, A: 0xff}
	ink       = color.RGBA{R: 0x33, G: 0x33, B: 0x33, A: 0xff}
)

// Formats of plots.
var formats = []string{"svg", "png"}

// Plots draws the comparison with the peers (peers.svg, peers.png) and time
// against size (growth.svg, growth.png) into a folder, and returns their names.
func (f *File) Plots(dir string) ([]string, error) {
	var names []string
	for name, panels := range map[string][]*plot.Plot{"peers": f.bars(), "growth": f.lines()} {
		if len(panels) == 0 {
			continue
		}
		columns := 1
		if name == "growth" {
			columns = 2
		}
		for _, format := range formats {
			file := name + "." + format
			if err := draws(filepath.Join(dir, file), format, panels, columns); err != nil {
				return nil, fmt.Errorf("draw %s: %w", file, err)
			}
			names = append(names, file)
		}
	}
	slices.Sort(names)
	return names, nil
}

const panelWidth = 7.5 * vg.Inch

// draws puts panels beside and below each other into one picture.
func draws(path, format string, panels []*plot.Plot, columns int) error {
	height := 3.2 * vg.Inch
	if columns == 1 {
		height = 2.35 * vg.Inch
	}
	rows := (len(panels) + columns - 1) / columns
	w, h := panelWidth, height*vg.Length(rows)
	if columns > 1 {
		w = panelWidth * 1.4
	}
	var canvas vg.CanvasWriterTo
	switch format {
	case "svg":
		canvas = vgsvg.New(w, h)
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(110), vgimg.UseBackgroundColor(color.White))}
	}
	dc := draw.New(canvas)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 12, PadY: 10, PadTop: 6, PadBottom: 6, PadLeft: 6, PadRight: 14}
	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
		copy(grid[i], panels[i*columns:min((i+1)*columns, len(panels))])
	}
	for i, line := range plot.Align(grid, tiles, dc) {
		for j, part := range line {
			if grid[i][j] != nil {
				grid[i][j].Draw(part)
			}
		}
	}
	return save(path, canvas)
}

func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.BackgroundColor = color.White
	for _, style := range []*font.Font{&p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Title.TextStyle.Font, &p.Legend.TextStyle.Font} {
		style.Typeface, style.Variant = "Liberation", "Sans"
		style.Size = 9
	}
	p.Title.TextStyle.Font.Size = 11
	return p
}

// bars draws one panel of bars for each job of the largest dataset.
func (f *File) bars() []*plot.Plot {
	profiles := f.profiles()
	if len(profiles) == 0 {
		return nil
	}
	d := profiles[0]
	var panels []*plot.Plot
	for _, job := range contest.Jobs() {
		if figures := f.comparison(d.Name, job); len(figures) > 0 {
			title := fmt.Sprintf("%s, seconds (%s of rows, %s of files, %d cores)", job, size(d.Generated.CopyBytes), size(d.Generated.FileBytes), f.Setting.Machine.Cores)
			panels = append(panels, barPanel(title, figures))
		}
	}
	return panels
}

// barPanel draws a horizontal bar with its value for each peer, odx at the top.
func barPanel(title string, figures []Figure) *plot.Plot {
	p := newPlot(title)
	var names []string
	labels := plotter.XYLabels{}
	most := 0.0
	for i, g := range slices.Backward(figures) {
		at := float64(len(figures) - 1 - i)
		bar, err := plotter.NewBarChart(plotter.Values{g.Median.Wall}, 11)
		if err != nil {
			continue // of no value; there is one
		}
		bar.Horizontal, bar.XMin, bar.LineStyle.Width, bar.Color = true, at, 0, peerColor
		if g.Odx {
			bar.Color = odxColor
		}
		p.Add(bar)
		names = append(names, strings.ReplaceAll(g.Peer, "-jN", fmt.Sprintf("-j%d", max(g.Jobs, 1))))
		labels.XYs = append(labels.XYs, plotter.XY{X: g.Median.Wall, Y: at})
		labels.Labels = append(labels.Labels, fmt.Sprintf(" %.1f", g.Median.Wall))
		most = max(most, g.Median.Wall)
	}
	if text, err := plotter.NewLabels(labels); err == nil {
		for i := range text.TextStyle {
			text.TextStyle[i].Font = p.X.Tick.Label.Font
			text.TextStyle[i].YAlign = draw.YCenter
			text.TextStyle[i].Color = ink
		}
		p.Add(text)
	}
	p.NominalY(names...)
	p.X.Min, p.X.Max = 0, most*1.12
	p.Y.Min, p.Y.Max = -0.6, float64(len(figures))-0.4
	return p
}

// lines draws time against size, one panel for each job, for the peers that matter
// most: more lines than that cannot be told apart.
func (f *File) lines() []*plot.Plot {
	var panels []*plot.Plot
	for _, job := range contest.Jobs() {
		if p := f.linePanel(job); p != nil {
			panels = append(panels, p)
		}
	}
	return panels
}

func (f *File) linePanel(job string) *plot.Plot {
	p := newPlot(job)
	p.X.Label.Text, p.Y.Label.Text = "GB of rows and files", "seconds"
	p.Legend.Top, p.Legend.Left = true, true
	p.X.Min, p.Y.Min = 0, 0
	drawn := 0
	for _, s := range f.Series() {
		if s.Job != job || len(s.Points) < 2 || !isShort(s.Job, s.Peer) || (s.Jobs != 0 && s.Jobs != f.mainJobs(s.Points[0].Data)) {
			continue
		}
		var xy plotter.XYs
		for i, g := range s.Points {
			xy = append(xy, plotter.XY{X: s.Sizes[i] / 1e9, Y: g.Median.Wall})
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			continue
		}
		line.Color, points.Color = peerColor, peerColor
		line.Dashes = plotter.DefaultLineStyle.Dashes
		if drawn > 0 {
			line.Dashes = []vg.Length{vg.Points(1 + 2*float64(drawn)), vg.Points(2)}
		}
		if s.Odx {
			line.Color, points.Color = odxColor, odxColor
		}
		line.Width = vg.Points(1.5)
		points.Shape, points.Radius = draw.CircleGlyph{}, vg.Points(2.5)
		p.Add(line, points)
		p.Legend.Add(s.Peer, line)
		drawn++
	}
	if drawn == 0 {
		return nil
	}
	p.Y.Max *= 1.5 // room for the legend
	return p
}

// isShort tells whether a peer takes part in short runs.
func isShort(job, name string) bool {
	return slices.ContainsFunc(contest.Peers(), func(p contest.Peer) bool { return p.Short && p.Job == job && p.Name == name })
}

// save writes a picture in one step.
func save(path string, canvas vg.CanvasWriterTo) error {
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	return writeFile(path, []byte(b.String()))
}

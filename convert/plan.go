package convert

import (
	"fmt"
	"strings"

	"odx/dumpfmt"
)

// Step is what a conversion does.
type Step uint8

// The steps.
const (
	StepPrint   Step = iota + 1 // print an archive as a script
	StepRebuild                 // make an archive of a script
	StepRecode                  // compress an archive's data files anew
	StepZip                     // join an archive and a filestore into a zip
	StepUnzip                   // make a fast layout of a zip
)

// String names the step as the documentation has it.
func (s Step) String() string {
	switch s {
	case StepPrint:
		return "print the archive as a script"
	case StepRebuild:
		return "make an archive of the script"
	case StepRecode:
		return "compress the archive's data anew"
	case StepZip:
		return "join the archive and the filestore into a zip"
	case StepUnzip:
		return "make an archive and a filestore of the zip"
	}
	return fmt.Sprintf("step %d", uint8(s))
}

// Plan says how a dump of one layout becomes one of another.
type Plan struct {
	Source, Target dumpfmt.Layout
	Step           Step
	Takes          []string // names in the source's folder of what is used; nil for all
}

// ErrNoPlan is returned when there is no way from one layout to another. It
// matches dumpfmt.ErrUnsupported.
var ErrNoPlan = fmt.Errorf("conversion %w", dumpfmt.ErrUnsupported)

// NewPlan gives the plan for two layouts. If there is none, the error matches
// ErrNoPlan and says why.
func NewPlan(source, target dumpfmt.Layout) (Plan, error) {
	p := Plan{Source: source, Target: target}
	if source == dumpfmt.LayoutZip || target == dumpfmt.LayoutZip {
		return p.zips()
	}
	toScript := target == dumpfmt.LayoutScript
	if !toScript && target != dumpfmt.LayoutArchive {
		return p, p.refuse(fmt.Sprintf("odx writes no %s yet", target))
	}
	switch source {
	case dumpfmt.LayoutScript, dumpfmt.LayoutPackedScript:
		if toScript {
			return p, p.refuse("it is a script already")
		}
		p.Step = StepRebuild
		return p, nil
	case dumpfmt.LayoutFast:
		p.Takes = []string{dumpfmt.ArchiveDir}
	case dumpfmt.LayoutClickOdoo:
		p.Takes = []string{dumpfmt.ClickOdooDump}
	case dumpfmt.LayoutArchive, dumpfmt.LayoutCustom:
	default:
		return p, p.refuse(fmt.Sprintf("odx does not convert a %s yet", source))
	}
	p.Step = StepRecode
	if toScript {
		p.Step = StepPrint
	}
	return p, nil
}

// zips is the plan from or to a zip.
func (p Plan) zips() (Plan, error) {
	switch {
	case p.Source == dumpfmt.LayoutZip && p.Target == dumpfmt.LayoutFast:
		p.Step = StepUnzip
	case p.Source == dumpfmt.LayoutFast, p.Source == dumpfmt.LayoutArchive, p.Source == dumpfmt.LayoutClickOdoo, p.Source == dumpfmt.LayoutCustom:
		p.Step = StepZip
		if isBackup(p.Source) {
			p.Takes = []string{dumpfmt.ArchiveDir, dumpfmt.ClickOdooDump, dumpfmt.ManifestFile, dumpfmt.FilestoreDir,
				dumpfmt.RecordFile, dumpfmt.KeptDir, dumpfmt.ExtraDir}
		}
	default:
		return p, p.refuse("odx makes zips of archives, and folders of zips")
	}
	return p, nil
}

func (p Plan) refuse(why string) error {
	return fmt.Errorf("%w: %s to %s: %s", ErrNoPlan, p.Source, p.Target, why)
}

// TargetLayout tells by its name what a target is to be: a script, a zip, a
// custom-format dump, or else a folder with an archive.
func TargetLayout(path string) dumpfmt.Layout {
	for suffix, layout := range map[string]dumpfmt.Layout{
		".sql": dumpfmt.LayoutScript, ".zip": dumpfmt.LayoutZip, ".dump": dumpfmt.LayoutCustom,
	} {
		if strings.HasSuffix(strings.ToLower(path), suffix) {
			return layout
		}
	}
	return dumpfmt.LayoutArchive
}

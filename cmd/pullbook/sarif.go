package main

import (
	"io"
	"net/url"
	"unicode/utf16"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// sarifRule is the one rule under which everything is reported: what is wrong stands in each message.
const sarifRule = "mistake"

// printSARIF prints a log of one run ("Static Analysis Results Interchange Format (SARIF) Version 2.1.0", OASIS).
func printSARIF(w io.Writer, found []finding) error { return sarifLog(found).PrettyWrite(w) }

func sarifLog(found []finding) *sarif.Report {
	run := sarif.NewRunWithInformationURI("pullbook", "https://github.com/pullbook/pullbook").WithColumnKind("utf16CodeUnits")
	run.Tool.Driver.WithVersion(versions()["pullbook"])
	run.AddRule(sarifRule).WithDescription("A mistake in a runbook or in pullbook.cue")
	files := sources{}
	for _, f := range found {
		text := f.sentence()
		if f.Hint != "" {
			text += "\n" + f.Hint
		}
		at := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation((&url.URL{Path: f.File}).EscapedPath()))
		if f.Line > 0 {
			region := sarif.NewRegion().WithStartLine(f.Line)
			if line := files.line(f); f.Column >= 1 && f.Column <= len(line) {
				region.WithStartColumn(len(utf16.Encode([]rune(line[:f.Column-1]))) + 1)
			}
			at.WithRegion(region)
		}
		run.CreateResultForRule(sarifRule).WithLevel("error").WithMessage(sarif.NewTextMessage(text)).
			AddLocation(sarif.NewLocationWithPhysicalLocation(at))
	}
	return sarif.NewReport().AddRun(run)
}

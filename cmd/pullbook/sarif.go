package main

import (
	"io"
	"net/url"
	"unicode/utf16"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// The rules under which everything is reported: what is wrong stands in each message.
const (
	sarifRule   = "mistake"
	sarifRemark = "remark"
)

// printSARIF prints a log of one run ("Static Analysis Results Interchange Format (SARIF) Version 2.1.0", OASIS).
func printSARIF(w io.Writer, found []finding) error { return sarifLog(found).PrettyWrite(w) }

func sarifLog(found []finding) *sarif.Report {
	run := sarif.NewRunWithInformationURI("pullbook", "https://github.com/pullbook/pullbook").WithColumnKind("utf16CodeUnits")
	run.Tool.Driver.WithVersion(versions()["pullbook"])
	run.AddRule(sarifRule).WithDescription("A mistake in a runbook or in pullbook.cue")
	run.AddRule(sarifRemark).WithDescription("What is no mistake, such as that cue fmt would write a line differently")
	files := sources{}
	for _, f := range found {
		at := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation((&url.URL{Path: f.File}).EscapedPath()))
		if f.Line > 0 {
			region := sarif.NewRegion().WithStartLine(f.Line)
			if line := files.line(f); f.Column >= 1 && f.Column <= len(line) {
				region.WithStartColumn(len(utf16.Encode([]rune(line[:f.Column-1]))) + 1)
			}
			at.WithRegion(region)
		}
		rule := sarifRule
		if f.remark {
			rule = sarifRemark
		}
		run.CreateResultForRule(rule).WithLevel(f.level()).WithMessage(sarif.NewTextMessage(f.message())).
			AddLocation(sarif.NewLocationWithPhysicalLocation(at))
	}
	return sarif.NewReport().AddRun(run)
}

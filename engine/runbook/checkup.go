package runbook

// Batch is what is asked about many runbooks of one ledger at once.
type Batch struct {
	Files map[string][]byte // CUE of the ledger by path: all runbooks, pullbook.cue, cue.mod/module.cue, and packages as far as they are at hand
	Check []string          // paths of the runbooks to check in every way; pullbook.cue is checked alone
	Match []string          // paths of further runbooks of which only the matches are wanted
}

// Checkup is what was found about one runbook.
type Checkup struct {
	Runbook  string    `json:"runbook"`            // path
	Problems []Problem `json:"problems,omitempty"` // sorted by place
	Remarks  []Problem `json:"remarks,omitempty"`  // what is no mistake, such as how it is formatted; sorted by place
	Facts    Facts     `json:"facts,omitzero"`     // as far as the problems let them be known
}

// Facts are what the rest of the ledger must be held against.
type Facts struct {
	Matches bool         `json:"matches,omitempty"` // there is a match
	At      Spot         `json:"at,omitzero"`       // where it stands
	Match   []Constraint `json:"match,omitempty"`
	Uses    []Use        `json:"uses,omitempty"`
	Asks    []Ask        `json:"asks,omitempty"`
	People  []string     `json:"people,omitempty"` // of pullbook.cue: all users (login) and teams (org/slug) that it lists or names as owners, sorted
}

// Ask is one step whose approval asks the code owners.
type Ask struct {
	Step Step `json:"step"` // its files are not pinned
	At   Spot `json:"at"`   // its approval
}

// Use is one place where a step names a file of the ledger.
type Use struct {
	File File   `json:"file"`
	Dir  bool   `json:"dir,omitempty"` // only a directory will do
	Path string `json:"path"`          // of the field, such as steps.a.exec.command
	At   Spot   `json:"at"`

	Rehearses Kind `json:"rehearses,omitempty"` // the kind of the step where it is rehearsed, with this file, before anybody approves it
}

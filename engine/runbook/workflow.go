package runbook

// Workflow is a workflow of GitHub Actions that a step runs. All of it is known before anything runs.
type Workflow struct {
	Repo string `json:"repo,omitempty"` // owner/name; empty: the ledger's
	File string `json:"file"`           // below .github/workflows
	Ref  string `json:"ref"`            // branch or tag at which it runs
	Key  string `json:"key,omitempty"`  // the input that gets the attempt key; empty: none does
}

// Path is where the workflow's file stands in its repository.
func (w Workflow) Path() string { return ".github/workflows/" + w.File }

// Pin is the file of a workflow at its ref, as the hub has just said.
type Pin struct {
	Blob    string // git object id, hex
	Problem string // why the workflow cannot be run, as a part of a sentence; empty: it can
}

// WorkflowRun is a run of a workflow.
type WorkflowRun struct {
	ID  int64  `json:"id"` // the hub's
	URL string `json:"url"`
}

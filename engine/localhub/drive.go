package localhub

import (
	"fmt"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// What a hub cannot do by itself and a test or a rehearsal does in its place: run workflows, find alerts, press buttons.
type (
	Workflow    = state.Workflow
	RunStep     = state.Step
	Job         = state.Job
	Artifact    = state.Artifact
	CodeAlert   = state.CodeAlert
	SecretAlert = state.SecretAlert
	Manifest    = state.Manifest
)

// AddWorkflow makes a workflow known; a dispatch queues runs of it.
func (h *Hub) AddWorkflow(repo string, w Workflow) (int64, error) {
	out, err := h.store.SaveWorkflow(repo, w)
	if err != nil {
		return 0, fmt.Errorf("add a workflow to %s: %w", repo, err)
	}
	return out.ID, nil
}

// DriveRun moves a run on as a runner would, in the name of a person.
func (h *Hub) DriveRun(repo string, run int64, by By, step RunStep) error {
	a, err := h.person(by)
	if err != nil {
		return err
	}
	if _, err := h.store.DriveRun(a, repo, run, step); err != nil {
		return fmt.Errorf("drive run %d of %s: %w", run, repo, err)
	}
	return nil
}

// AddCodeAlert seeds a finding of code scanning and returns its number.
func (h *Hub) AddCodeAlert(repo string, by By, x CodeAlert) (int64, error) {
	a, err := h.person(by)
	if err != nil {
		return 0, err
	}
	out, err := h.store.AddCodeAlert(a, repo, x)
	if err != nil {
		return 0, fmt.Errorf("add an alert to %s: %w", repo, err)
	}
	return out.Number, nil
}

// AddSecretAlert seeds a finding of secret scanning and returns its number.
func (h *Hub) AddSecretAlert(repo string, by By, x SecretAlert) (int64, error) {
	a, err := h.person(by)
	if err != nil {
		return 0, err
	}
	out, err := h.store.AddSecretAlert(a, repo, x)
	if err != nil {
		return 0, fmt.Errorf("add an alert to %s: %w", repo, err)
	}
	return out.Number, nil
}

// PressButton presses a button of a completed check run, as a person does on its page.
func (h *Hub) PressButton(repo string, run int64, by By, identifier string) error {
	a, err := h.person(by)
	if err != nil {
		return err
	}
	if err := h.store.PressButton(a, repo, run, identifier); err != nil {
		return fmt.Errorf("press %q of check run %d of %s: %w", identifier, run, repo, err)
	}
	return nil
}

// OfferManifest keeps a manifest that the owner agreed to, and returns the code for POST /app-manifests/{code}/conversions.
func (h *Hub) OfferManifest(owner, slug string, m Manifest) (string, error) {
	code, err := h.store.OfferManifest(owner, slug, m)
	if err != nil {
		return "", fmt.Errorf("offer the manifest of %s: %w", slug, err)
	}
	return code, nil
}

// By is who does it, and the hub's address in the webhooks that follow ("http://127.0.0.1:8080").
type By struct{ Login, Base string }

func (h *Hub) person(by By) (state.Actor, error) {
	u, err := h.store.Account(by.Login)
	if err != nil {
		return state.Actor{}, fmt.Errorf("find %s: %w", by.Login, err)
	}
	return state.Actor{User: u, Base: by.Base}, nil
}

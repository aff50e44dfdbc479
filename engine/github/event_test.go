package github

import "testing"

func TestReadEventTakesButtons(t *testing.T) {
	c := WebhookConfig{Repository: "acme/ops", AppID: 77, OwnSender: "pullbook[bot]"}
	const check = `"repository": {"full_name": "acme/ops"}, "sender": {"id": 101, "login": "alice", "type": "User"}, "check_run": {"id": 5, "external_id": "x/1", "app": {"id": 77}, "check_suite": {"head_sha": "c0ffee"}}`
	press, err := ReadEvent(c, "check_run", "run-7", []byte(`{"action": "requested_action", `+check+`, "requested_action": {"identifier": "retry:1"}}`))
	if err != nil || press.Press == nil || press.Press.By.Login != "alice" || press.Press.Delivery != "run-7" || press.Press.At.IsZero() {
		t.Errorf("a button: %+v, %v", press, err)
	}
	again, err := ReadEvent(c, "check_run", "run-7", []byte(`{"action": "rerequested", `+check+`}`))
	if err != nil || again.Again != "c0ffee" {
		t.Errorf("a check that is asked for again: %+v, %v", again, err)
	}
	for name, body := range map[string]string{
		"another repository": `{"action": "rerequested", "repository": {"full_name": "acme/other"}}`,
		"a comment":          `{"action": "created", "repository": {"full_name": "acme/ops"}, "issue": {"number": 7, "pull_request": {}}}`,
		"nothing":            `{}`,
	} {
		if hint, err := ReadEvent(c, "issue_comment", "run-7", []byte(body)); err != nil || hint.Kind+hint.Branch+hint.Again != "" || hint.Pull != 0 {
			t.Errorf("%s: %+v, %v", name, hint, err)
		}
	}
	if _, err := ReadEvent(c, "check_run", "run-7", []byte(`[`)); err == nil {
		t.Error("what is no JSON was read")
	}
}

package wire

import "github.com/pullbook/pullbook/engine/localhub/state"

// CodeAlert is a finding of code scanning.
func (h Host) CodeAlert(r state.Repo, x state.CodeAlert) Object {
	api := h.API("/repos/%s/code-scanning/alerts/%d", r.FullName(), x.Number)
	return Object{
		"number": x.Number, "created_at": stamp(x.Created), "updated_at": stamp(x.Updated), "url": api, "instances_url": api + "/instances",
		"html_url": h.Page("/%s/security/code-scanning/%d", r.FullName(), x.Number), "state": x.State, "fixed_at": nil,
		"dismissed_by": h.userOrNull(x.DismissedBy), "dismissed_at": stamp(x.Dismissed), "dismissed_reason": orNull(x.Reason),
		"dismissed_comment": orNull(x.Note), "tool": Object{"name": x.Tool, "version": nil, "guid": nil},
		"rule": Object{
			"id": x.Rule, "name": x.Rule, "severity": orNull(x.Severity), "security_severity_level": orNull(x.Security),
			"description": x.Description, "full_description": x.Description, "tags": []string{}, "help": nil, "help_uri": nil,
		},
		"most_recent_instance": h.CodeInstance(x),
	}
}

// CodeInstance is where a finding was found.
func (h Host) CodeInstance(x state.CodeAlert) Object {
	return Object{
		"ref": x.Ref, "analysis_key": x.Tool, "environment": "{}", "category": x.Tool, "state": x.State, "commit_sha": x.SHA,
		"message":  Object{"text": x.Message},
		"location": Object{"path": x.Path, "start_line": x.Line, "end_line": x.Line, "start_column": 1, "end_column": 1}, "classifications": []string{},
	}
}

// SecretAlert is a finding of secret scanning; hidden says not to show the secret.
func (h Host) SecretAlert(r state.Repo, x state.SecretAlert, hidden bool) Object {
	api := h.API("/repos/%s/secret-scanning/alerts/%d", r.FullName(), x.Number)
	o := Object{
		"number": x.Number, "created_at": stamp(x.Created), "updated_at": stamp(x.Updated), "url": api, "locations_url": api + "/locations",
		"html_url": h.Page("/%s/security/secret-scanning/%d", r.FullName(), x.Number), "state": x.State, "resolution": orNull(x.Resolution),
		"resolved_at": stamp(x.Resolved), "resolved_by": h.userOrNull(x.ResolvedBy), "resolution_comment": orNull(x.Note),
		"secret_type": x.Type, "secret_type_display_name": x.TypeName, "secret": x.Secret, "push_protection_bypassed": false,
		"push_protection_bypassed_by": nil, "push_protection_bypassed_at": nil, "validity": "unknown", "publicly_leaked": false, "multi_repo": false,
	}
	if hidden {
		delete(o, "secret")
	}
	return o
}

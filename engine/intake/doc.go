// Package intake turns what monitoring tools post into alerts, and answers them.
//
// Words. A source is a tool that posts; its name is the last part of the address, and it fixes the format of the body.
// A group is what a source calls one problem: everything with the same group key belongs to one incident. A member is
// one alert of a group. Durable means that a power cut after the answer loses nothing.
//
//	POST /alerts/{source} ─ method ─ size ─ bearer token ─ read ─ Parse ─ Put (durable) ─ 202 {"accepted", "groups"}
//	                          405     413       401         413    400       503
//
// Nothing is stored on a 4xx answer. A 503 asks the source to send the same again; Put may therefore see an alert twice.
//
// alertmanager: the webhook of Prometheus Alertmanager, version "4" (https://prometheus.io/docs/alerting/latest/configuration/).
// One notification is one alert. Its group key is a digest of receiver and groupKey, so every replica of a cluster names the
// problem alike; its name is the alertname that the members share, or their distinct names in order. A notification that
// max_alerts truncated is never taken as resolved, since its status speaks only of the members it shows. Unknown fields
// are ignored. What a workload can write (labels, annotations, links) never makes a notification fail, since Alertmanager does
// not repeat what was answered 4xx: it is cleaned, cut or left out, and the annotation "pullbook.cut" counts what was left out.
//
// generic: one JSON object, or a list of 1 to 250 of them, for tools that have no format of their own here:
//
//	{
//	  "name":        "DiskFull",                   required: one line of at most 256 bytes
//	  "group":       "db-1/disk",                  what belongs together; see below for when it is absent
//	  "status":      "firing",                     or "resolved"; firing when absent
//	  "fingerprint": "a1b2c3",                     the source's own name of this alert, at most 128 bytes
//	  "labels":      {"service": "db"},            text to text, at most 64; names match [a-zA-Z_][a-zA-Z0-9_.-]*
//	  "annotations": {"summary": "97% used"},      likewise
//	  "url":         "https://grafana/d/disk",     http or https, percent-encoded, without a user or password
//	  "starts_at":   "2026-11-22T10:20:00Z"        RFC 3339
//	}
//
// Any other field is refused by its name, and so is null: a field that is not known is left out. Without a group the
// fingerprint tells problems apart; without both, the name and all labels do. The message that resolves a problem must
// carry what told it apart when it fired.
//
// custom/NAME: any JSON of at most 256 KiB, of which the intake NAME in the ledger's pullbook.cue makes one generic alert. 404
// means that there is no such intake; 422 that the body, or what became of it, is not of the declared type, and names the
// field. Source, group and fingerprint are worked out as for generic, apart for each NAME.
//
// Event makes such an alert of a webhook of the hub, which somebody else has verified; its source is github. Each problem has a
// beginning and an end by the same fingerprint: an issue with the label incident, a deployment, a workflow on the default branch, a
// finding. decisions/0029-alerts-from-github.md has the table. The secret that was found is not read.
//
// An Alertmanager can also be asked what fires (Asked), since an alert that was answered and then lost is never posted again before
// its repeat_interval. What it answers becomes what its notifications would have been, under the same group keys, which are worked
// out from its routes:
//
//	GET api/v2/status ─ routes ─┐
//	GET api/v2/alerts/groups ───┴─ notification of each group ─ parsed as if it had been posted
//
// All text is foreign and stays foreign; this package only bounds it. Values keep newlines and tabs; every other control
// character, every bidirectional override and every byte that is not UTF-8 becomes U+FFFD. A value above 4 KiB ends in
// "… [cut, sha256 <digest of the whole>]". Quoting for markdown, terminals and shells is the task of whoever prints.
//
// This package does not choose a runbook, does not know whether an incident is open, keeps no state, and sends nothing but
// these questions.
package intake

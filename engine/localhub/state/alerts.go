package state

import (
	"slices"
	"time"
)

// A CodeAlert is a finding of code scanning. The hub scans nothing: alerts come from the seed or a test.
type CodeAlert struct {
	Number       int64
	State        string // open, dismissed, fixed
	Rule         string
	Severity     string // none, note, warning, error
	Security     string // low, medium, high, critical
	Description  string
	Tool         string
	Ref, SHA     string
	Path         string
	Line         int
	Message      string
	Created      time.Time
	Updated      time.Time
	Dismissed    time.Time
	DismissedBy  User
	Reason, Note string
}

func (x CodeAlert) number() int64 { return x.Number }

// A SecretAlert is a finding of secret scanning; Secret is made up by whoever seeded it.
type SecretAlert struct {
	Number     int64
	State      string // open, resolved
	Type       string
	TypeName   string
	Secret     string
	Created    time.Time
	Updated    time.Time
	Resolved   time.Time
	ResolvedBy User
	Resolution string
	Note       string
}

func (x SecretAlert) number() int64 { return x.Number }

// AddCodeAlert seeds a finding; its number follows the last.
func (s *Store) AddCodeAlert(a Actor, fullName string, x CodeAlert) (*CodeAlert, error) {
	return change(s, fullName, func(r *repo) (*CodeAlert, error) {
		x.Number, x.Created, x.Updated = int64(len(r.desk.codeAlerts.order)+1), s.Now(), s.Now()
		if x.State == "" {
			x.State = "open"
		}
		stow(s, r, &r.desk.codeAlerts, "code_alert", &x)
		c := x
		s.emit(a, r, Event{Name: "code_scanning_alert", Action: "created", CodeAlert: &c})
		return &c, nil
	})
}

// CodeAlerts lists findings, newest first.
func (s *Store) CodeAlerts(fullName string) ([]CodeAlert, error) {
	return view(s, fullName, func(r *repo) ([]CodeAlert, error) {
		list := r.desk.codeAlerts.all(nil)
		slices.Reverse(list)
		return list, nil
	})
}

// CodeAlert finds one.
func (s *Store) CodeAlert(fullName string, number int64) (*CodeAlert, error) {
	return view(s, fullName, func(r *repo) (*CodeAlert, error) {
		x, err := r.desk.codeAlerts.get(number)
		if err != nil {
			return nil, err
		}
		c := *x
		return &c, nil
	})
}

// A Settling closes an alert, or opens it again.
type Settling struct{ State, Reason, Note string }

// SettleCodeAlert dismisses a finding or opens it again.
func (s *Store) SettleCodeAlert(a Actor, fullName string, number int64, in Settling) (*CodeAlert, error) {
	return change(s, fullName, func(r *repo) (*CodeAlert, error) {
		x, err := r.desk.codeAlerts.get(number)
		if err != nil {
			return nil, err
		}
		reasons := []string{"false positive", "won't fix", "used in tests"}
		action := "reopened_by_user"
		switch {
		case in.State != "open" && in.State != "dismissed":
			return nil, Invalid(Problem{Resource: "CodeScanningAlert", Field: "state", Code: "invalid"})
		case in.State == "dismissed" && !slices.Contains(reasons, in.Reason):
			return nil, Invalid(Problem{Resource: "CodeScanningAlert", Field: "dismissed_reason", Code: "invalid"})
		case in.State == "dismissed":
			action = "closed_by_user"
			x.Dismissed, x.DismissedBy, x.Reason, x.Note = s.Now(), a.User, in.Reason, in.Note
		default:
			x.Dismissed, x.DismissedBy, x.Reason, x.Note = time.Time{}, User{}, "", ""
		}
		x.State, x.Updated = in.State, s.Now()
		stow(s, r, &r.desk.codeAlerts, "code_alert", x)
		c := *x
		s.emit(a, r, Event{Name: "code_scanning_alert", Action: action, CodeAlert: &c})
		return &c, nil
	})
}

// AddSecretAlert seeds a finding; its number follows the last.
func (s *Store) AddSecretAlert(a Actor, fullName string, x SecretAlert) (*SecretAlert, error) {
	return change(s, fullName, func(r *repo) (*SecretAlert, error) {
		x.Number, x.Created, x.Updated = int64(len(r.desk.secrets.order)+1), s.Now(), s.Now()
		if x.State == "" {
			x.State = "open"
		}
		stow(s, r, &r.desk.secrets, "secret_alert", &x)
		c := x
		s.emit(a, r, Event{Name: "secret_scanning_alert", Action: "created", SecretAlert: &c})
		return &c, nil
	})
}

// SecretAlerts lists findings, newest first.
func (s *Store) SecretAlerts(fullName string) ([]SecretAlert, error) {
	return view(s, fullName, func(r *repo) ([]SecretAlert, error) {
		list := r.desk.secrets.all(nil)
		slices.Reverse(list)
		return list, nil
	})
}

// SecretAlert finds one.
func (s *Store) SecretAlert(fullName string, number int64) (*SecretAlert, error) {
	return view(s, fullName, func(r *repo) (*SecretAlert, error) {
		x, err := r.desk.secrets.get(number)
		if err != nil {
			return nil, err
		}
		c := *x
		return &c, nil
	})
}

// SettleSecretAlert resolves a finding or opens it again.
func (s *Store) SettleSecretAlert(a Actor, fullName string, number int64, in Settling) (*SecretAlert, error) {
	return change(s, fullName, func(r *repo) (*SecretAlert, error) {
		x, err := r.desk.secrets.get(number)
		if err != nil {
			return nil, err
		}
		reasons := []string{"false_positive", "wont_fix", "revoked", "used_in_tests"}
		action := "reopened"
		switch {
		case in.State != "open" && in.State != "resolved":
			return nil, Invalid(Problem{Resource: "SecretScanningAlert", Field: "state", Code: "invalid"})
		case in.State == "resolved" && !slices.Contains(reasons, in.Reason):
			return nil, Invalid(Problem{Resource: "SecretScanningAlert", Field: "resolution", Code: "invalid"})
		case in.State == "resolved":
			action = "resolved"
			x.Resolved, x.ResolvedBy, x.Resolution, x.Note = s.Now(), a.User, in.Reason, in.Note
		default:
			x.Resolved, x.ResolvedBy, x.Resolution, x.Note = time.Time{}, User{}, "", ""
		}
		x.State, x.Updated = in.State, s.Now()
		stow(s, r, &r.desk.secrets, "secret_alert", x)
		c := *x
		s.emit(a, r, Event{Name: "secret_scanning_alert", Action: action, SecretAlert: &c})
		return &c, nil
	})
}

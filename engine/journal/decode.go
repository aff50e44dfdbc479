package journal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// Error says why a journal is refused, and names the first file that is wrong.
type Error struct {
	Path string
	Why  string
}

func (e *Error) Error() string { return e.Path + ": " + e.Why }

// Decode reads the journal in dir, which is incident.ID.Dir. files are by their path in the ledger; those outside the
// journal directory are not looked at. It returns the events and the head, or an *Error. A directory without events is an
// error: every incident begins with one.
func Decode(dir string, files map[string][]byte) ([]incident.Event, Head, error) {
	return DecodeAfter(dir, Head{}, files)
}

// DecodeAfter reads the events that follow head, for example those that one commit adds. files holds none before them.
func DecodeAfter(dir string, head Head, files map[string][]byte) ([]incident.Event, Head, error) {
	names, err := index(dir, files)
	if err != nil {
		return nil, Head{}, err
	}
	events := make([]incident.Event, 0, len(names))
	for range len(names) {
		path, ok := names[head.Seq+1]
		if !ok {
			return nil, Head{}, &Error{eventDir(dir), fmt.Sprintf("event %d is missing", head.Seq+1)}
		}
		e, err := decodeEvent(dir, head, files[path])
		if err != nil {
			return nil, Head{}, &Error{path, err.Error()}
		}
		if want := Path(dir, e.Seq, e.Data.Kind()); want != path {
			return nil, Head{}, &Error{path, "its content belongs into " + want}
		}
		events, head = append(events, e), Head{Seq: e.Seq, Sum: sum(files[path])}
	}
	return events, head, nil
}

// Disowned are the commits that the thaw among the files of one commit disowns, oldest first; none where there is no thaw. Of
// several the last one counts: the others were written anew as they were.
func Disowned(files map[string][]byte) []string {
	last := ""
	for path := range files {
		if strings.HasSuffix(path, "-"+incident.Thawed{}.Kind()+".json") && path > last {
			last = path
		}
	}
	var s stored
	if last == "" || strict(files[last], &s) != nil {
		return nil
	}
	data, err := decodeData(s.Kind, s.Data, strict)
	if thawed, ok := data.(incident.Thawed); ok && err == nil {
		return thawed.Disowned
	}
	return nil
}

var eventName = regexp.MustCompile(`^[0-9]{1,7}/([0-9]{6,9})-[a-z]+(-[a-z]+)*\.json$`)

// index finds the event file of each sequence number. Among several wrong names it reports the one that sorts first.
func index(dir string, files map[string][]byte) (map[int]string, error) {
	names := map[int]string{}
	var wrong *Error
	report := func(path, why string) {
		if wrong == nil || path < wrong.Path {
			wrong = &Error{path, why}
		}
	}
	for path := range files {
		rest, ok := strings.CutPrefix(path, eventDir(dir))
		if !ok {
			continue
		}
		m := eventName.FindStringSubmatch(rest)
		if m == nil {
			report(path, "it is not the name of an event file")
			continue
		}
		seq, err := strconv.Atoi(m[1])
		if err != nil {
			report(path, "its number cannot be read") // unreachable: at most nine digits
			continue
		}
		if other, taken := names[seq]; taken {
			report(max(path, other), fmt.Sprintf("there are two events %d", seq))
			continue
		}
		names[seq] = path
	}
	if wrong != nil {
		return nil, wrong
	}
	if len(names) == 0 {
		return nil, &Error{eventDir(dir), "there is no event"}
	}
	return names, nil
}

// decodeEvent reads one event file that must follow head. Its errors are sentences about the file.
func decodeEvent(dir string, head Head, b []byte) (incident.Event, error) {
	s, ok := envelope(b)
	if !ok && json.Unmarshal(b, &s) != nil || s.Version != Version {
		return incident.Event{}, misread(b)
	}
	at, err := time.Parse(timeForm, s.Time)
	switch {
	case err != nil:
		return incident.Event{}, fmt.Errorf("its time %q is not of the form %s", s.Time, timeForm)
	case s.Seq != head.Seq+1:
		return incident.Event{}, fmt.Errorf("it says that it is event %d, and event %d is due", s.Seq, head.Seq+1)
	case s.Prev != head.Sum:
		return incident.Event{}, fmt.Errorf("the chain is broken: it follows an event with another SHA-256 than event %d has", head.Seq)
	}
	data, err := decodeData(s.Kind, s.Data, json.Unmarshal)
	if err != nil {
		return incident.Event{}, cmp.Or(misread(b), err)
	}
	e := incident.Event{Seq: s.Seq, At: at, Data: data}
	if err := belongs(dir, e); err != nil {
		return incident.Event{}, err
	}
	again, err := encodeEvent(head, e)
	if err != nil {
		return incident.Event{}, fmt.Errorf("it cannot be written again: %w", err)
	}
	if !bytes.Equal(again, b) {
		return incident.Event{}, cmp.Or(misread(b), errors.New("its bytes are not the canonical ones"))
	}
	return e, nil
}

// envelope takes apart an event file that has the form of a canonical one, without reading its data twice. It looks at nothing more
// closely: what it finds is written again and compared.
func envelope(b []byte) (s stored, ok bool) {
	head, data, _ := bytes.Cut(b, []byte(",\n  \"data\": "))
	data, ok = bytes.CutSuffix(data, []byte("\n}\n"))
	lines := strings.Split(string(head), ",\n  ")
	if !ok || len(lines) != 5 {
		return s, false
	}
	var names, values [5]string
	for i, line := range lines {
		names[i], values[i], _ = strings.Cut(line, ": ")
		values[i] = strings.Trim(values[i], `"`)
		ok = ok && !strings.ContainsAny(values[i], `"\\`)
	}
	version, err := strconv.Atoi(values[0])
	seq, noSeq := strconv.Atoi(values[1])
	if !ok || err != nil || noSeq != nil || names != [5]string{"{\n  \"version\"", `"seq"`, `"prev"`, `"time"`, `"kind"`} {
		return s, false
	}
	return stored{version, seq, values[2], values[3], values[4], data}, true
}

// misread says what is wrong with an event file that is not what would be written: it looks at it more closely than is worth
// while for one that is. It is nil if only the bytes are others.
func misread(b []byte) error {
	var version struct{ Version *int }
	if err := json.Unmarshal(b, &version); err != nil {
		return fmt.Errorf("it is not JSON of an event: %w", err)
	}
	if version.Version == nil || *version.Version != Version {
		return fmt.Errorf("its version is not %d, the only one that this program reads", Version)
	}
	var s stored
	if err := strict(b, &s); err != nil {
		return err
	}
	_, err := decodeData(s.Kind, s.Data, strict)
	return err
}

// belongs checks that a journal begins with the opening of the incident whose directory it lies in.
func belongs(dir string, e incident.Event) error {
	opened, ok := e.Data.(incident.Opened)
	switch {
	case !ok && e.Seq == 1:
		return errors.New("a journal begins with the kind opened")
	case !ok:
		return nil
	}
	id, err := incident.ParseID(string(opened.ID))
	if err != nil {
		return err
	}
	if id.Dir() != dir {
		return fmt.Errorf("it opens incident %s, which lives in %s", id, id.Dir())
	}
	return nil
}

// strict reads exactly one value with no unknown field.
func strict(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the event")
	}
	return nil
}

// reader reads a value: strict, or json.Unmarshal where what was read is written again and compared.
type reader func(b []byte, into any) error

// as reads the data of one kind.
func as[T incident.Data](raw []byte, read reader) (incident.Data, error) {
	var data T
	if err := read(raw, &data); err != nil {
		return nil, err
	}
	return data, nil
}

// compactly is as for an event with JSON of others in it: the file holds that indented, and its value is the compact form.
func compactly[T incident.Data](raw []byte, read reader) (incident.Data, error) {
	data, err := as[T](raw, read)
	if err != nil {
		return nil, err
	}
	e, err := Normal(incident.Event{Data: data})
	return e.Data, err
}

// decodeData knows every kind of event that there is.
func decodeData(kind string, raw []byte, read reader) (incident.Data, error) {
	switch kind {
	case incident.Opened{}.Kind():
		return as[incident.Opened](raw, read)
	case incident.PullOpened{}.Kind():
		return as[incident.PullOpened](raw, read)
	case incident.AlertUpdated{}.Kind():
		return as[incident.AlertUpdated](raw, read)
	case incident.Acknowledged{}.Kind():
		return as[incident.Acknowledged](raw, read)
	case incident.GateOpened{}.Kind():
		return as[incident.GateOpened](raw, read)
	case incident.GateApproved{}.Kind():
		return as[incident.GateApproved](raw, read)
	case incident.GateRejected{}.Kind():
		return as[incident.GateRejected](raw, read)
	case incident.GateExpired{}.Kind():
		return as[incident.GateExpired](raw, read)
	case incident.GateLifted{}.Kind():
		return as[incident.GateLifted](raw, read)
	case incident.GlassBroken{}.Kind():
		return as[incident.GlassBroken](raw, read)
	case incident.GlassReviewed{}.Kind():
		return as[incident.GlassReviewed](raw, read)
	case incident.GateReminded{}.Kind():
		return as[incident.GateReminded](raw, read)
	case incident.GateEscalated{}.Kind():
		return as[incident.GateEscalated](raw, read)
	case incident.CancelAsked{}.Kind():
		return as[incident.CancelAsked](raw, read)
	case incident.Paused{}.Kind():
		return as[incident.Paused](raw, read)
	case incident.Resumed{}.Kind():
		return as[incident.Resumed](raw, read)
	case incident.Reopened{}.Kind():
		return as[incident.Reopened](raw, read)
	case incident.Noted{}.Kind():
		return as[incident.Noted](raw, read)
	case incident.CommandRefused{}.Kind():
		return as[incident.CommandRefused](raw, read)
	case incident.SeveritySet{}.Kind():
		return as[incident.SeveritySet](raw, read)
	case incident.Mitigated{}.Kind():
		return as[incident.Mitigated](raw, read)
	case incident.Thawed{}.Kind():
		return as[incident.Thawed](raw, read)
	case incident.PlanEdited{}.Kind():
		return as[incident.PlanEdited](raw, read)
	case incident.Recalled{}.Kind():
		return as[incident.Recalled](raw, read)
	case incident.UndoBegun{}.Kind():
		return as[incident.UndoBegun](raw, read)
	case incident.FinallyBegun{}.Kind():
		return as[incident.FinallyBegun](raw, read)
	case incident.Ended{}.Kind():
		return as[incident.Ended](raw, read)
	}
	return decodeStep(kind, raw, read)
}

func decodeStep(kind string, raw []byte, read reader) (incident.Data, error) {
	switch kind {
	case incident.EachExpanded{}.Kind():
		return as[incident.EachExpanded](raw, read)
	case incident.StepStarted{}.Kind():
		return as[incident.StepStarted](raw, read)
	case incident.StepEnded{}.Kind():
		return compactly[incident.StepEnded](raw, read)
	case incident.RepeatStarted{}.Kind():
		return as[incident.RepeatStarted](raw, read)
	case incident.RepeatEnded{}.Kind():
		return as[incident.RepeatEnded](raw, read)
	case incident.ChildOpened{}.Kind():
		return compactly[incident.ChildOpened](raw, read)
	case incident.RunDispatched{}.Kind():
		return as[incident.RunDispatched](raw, read)
	case incident.RunStopAsked{}.Kind():
		return as[incident.RunStopAsked](raw, read)
	case incident.StepSkipped{}.Kind():
		return as[incident.StepSkipped](raw, read)
	case incident.StepBroken{}.Kind():
		return as[incident.StepBroken](raw, read)
	case incident.StepUnknown{}.Kind():
		return as[incident.StepUnknown](raw, read)
	case incident.StepByHand{}.Kind():
		return as[incident.StepByHand](raw, read)
	case incident.RetryAsked{}.Kind():
		return as[incident.RetryAsked](raw, read)
	case incident.Assigned{}.Kind():
		return as[incident.Assigned](raw, read)
	}
	return nil, fmt.Errorf("its kind %q is not known", kind)
}

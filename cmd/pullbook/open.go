package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/door"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/intake"
)

// order is what `pullbook open` sends to a running engine.
type order struct {
	Runbook string          `json:"runbook"`
	Alert   json.RawMessage `json:"alert,omitempty"`  // in the generic format; without it the incident has one of its own making
	Inputs  json.RawMessage `json:"inputs,omitempty"` // an object by name
}

// receipt is the answer to an order.
type receipt struct {
	Runbook string `json:"runbook"`
	Group   string `json:"group"` // key of the incident's alert group
}

const (
	maxOrder  = 1 << 20 // bytes
	orderTime = 10 * time.Second
	orders    = 8 // read at one time
)

// openHandler takes orders to open an incident with a runbook that a person chose.
func (svc *service) openHandler(token []byte) http.Handler {
	place := door.New(orders, orderTime, time.Second)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !admitted(w, r, http.MethodPost, token) {
			return
		}
		body, err := place.Read(w, r, maxOrder)
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			http.Error(w, fmt.Sprintf("the order is larger than %d bytes", maxOrder), http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, "the order could not be read; send it again", http.StatusRequestTimeout)
			return
		}
		arrival, err := readOrder(bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if wrong := svc.wrongInputs(r.Context(), arrival); wrong != "" {
			http.Error(w, wrong, http.StatusUnprocessableEntity)
			return
		}
		if err := svc.putAlert(r.Context(), arrival); err != nil {
			svc.log.Error("cannot store an order", "error", err)
			w.Header().Set("Retry-After", "5")
			http.Error(w, "the order could not be stored; try again", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(receipt{arrival.Runbook, arrival.Alert.Group}) // a client that is gone reads no answer
	})
}

// wrongInputs says what is wrong with the inputs of an order, one mistake a line. When it cannot be found out now the
// order is taken: the opening looks again.
func (svc *service) wrongInputs(ctx context.Context, a engine.Arrival) string {
	problems, err := svc.engine.WrongInputs(ctx, a)
	if err != nil {
		svc.log.Warn("cannot check the inputs of an order yet", "error", err)
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// readOrder reads and checks an order. What it says of an alert passes the same parser as what a source sends.
func readOrder(body io.Reader) (engine.Arrival, error) {
	o, err := decodeOrder(body)
	if err != nil {
		return engine.Arrival{}, fmt.Errorf("read the order: %w", err)
	}
	if o.Runbook == "" {
		return engine.Arrival{}, errors.New("the order must name a runbook")
	}
	return o.arrival()
}

func decodeOrder(body io.Reader) (o order, err error) {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return o, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return o, errors.New("there is more after the first JSON value")
	}
	return o, nil
}

func (o order) arrival() (engine.Arrival, error) {
	alert, err := orderedAlert(o.Alert)
	if err != nil {
		return engine.Arrival{}, fmt.Errorf("the alert of the order: %w", err)
	}
	return engine.Arrival{Alert: alert, Runbook: o.Runbook, Inputs: o.Inputs}, nil
}

// orderedAlert is the alert of an order: the one that is given, or one whose group nothing else belongs to.
func orderedAlert(given []byte) (incident.Alert, error) {
	if len(given) == 0 {
		id := rand.Text()
		return incident.Alert{Name: "opened by hand", Source: "manual", Status: incident.Firing, Fingerprint: id, Group: "manual-" + id,
			Labels: map[string]string{}, Annotations: map[string]string{}, StartsAt: time.Now().UTC().Truncate(time.Second)}, nil
	}
	alerts, err := intake.Parse(intake.Generic, given)
	if err != nil {
		return incident.Alert{}, err
	}
	if len(alerts) != 1 {
		return incident.Alert{}, fmt.Errorf("holds %d alerts; open takes one", len(alerts))
	}
	return alerts[0], nil
}

// admitted lets a request through that has the method and may order; it answers any other.
func admitted(w http.ResponseWriter, r *http.Request, method string, token []byte) bool {
	switch {
	case r.Method != method:
		w.Header().Set("Allow", method)
		http.Error(w, "only "+method+" is taken here", http.StatusMethodNotAllowed)
	case !mayOrder(r, token):
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the bearer token is wrong or missing", http.StatusUnauthorized)
	default:
		return true
	}
	return false
}

func mayOrder(r *http.Request, token []byte) bool {
	if len(token) == 0 {
		return intake.Local(r)
	}
	got := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return subtle.ConstantTimeCompare([]byte(got), token) == 1
}

type openFlags struct {
	alert, server, tokenFile string
	inputs                   []string
	json                     bool
}

func openCommand() *cobra.Command {
	var f openFlags
	cmd := &cobra.Command{
		Use:   "open <runbook>",
		Short: "Open an incident by hand, with a runbook that you choose",
		Long: `Open sends an order to a running engine. The engine freezes the runbook at the tip
of the default branch and opens the incident's pull request. Without --alert the
incident has an alert of its own making, whose group nothing else belongs to. The value
of an --input is text; where the runbook wants a number, a list or anything else, it is
read as JSON. Inputs are recorded in the ledger, so they are no place for secrets.`,
		Example: `  pullbook open checkout --alert alert.json
  pullbook open drain --input region=eu --input hosts='["web-1", "web-2"]'
  pullbook open runbooks/triage.cue --server http://127.0.0.1:8480`,
		Args: takes("<runbook>"),
		RunE: func(cmd *cobra.Command, args []string) error { return runOpen(cmd, args[0], f) },

		ValidArgsFunction: completeRunbook,
	}
	cmd.Flags().StringVar(&f.alert, "alert", "", "file with a generic alert (JSON), - for standard input")
	cmd.Flags().StringArrayVar(&f.inputs, "input", nil, "value of an input of the runbook, as name=value; can be given many times")
	cmd.Flags().StringVar(&f.server, "server", "http://127.0.0.1:8480", "address of the engine")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the alert token of the engine")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the group of the incident as JSON")
	return cmd
}

func runOpen(cmd *cobra.Command, name string, f openFlags) error {
	o := order{Runbook: name}
	if f.alert != "" {
		var err error
		if o.Alert, err = readAlert(cmd.InOrStdin(), f.alert); err != nil {
			return err
		}
		if _, err := orderedAlert(o.Alert); err != nil {
			return fmt.Errorf("%s: %w", f.alert, err)
		}
	}
	var err error
	if o.Inputs, err = inputsOf(f.inputs); err != nil {
		return err
	}
	token, err := readSecret(f.tokenFile)
	if err != nil {
		return err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode the order: %w", err)
	}
	got, err := send(cmd.Context(), strings.TrimRight(f.server, "/")+"/open", token, body)
	if err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(got)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: the engine has the order for %s\n", name)
	return nil
}

// inputsOf makes a JSON object of name=value.
func inputsOf(flags []string) (json.RawMessage, error) {
	if len(flags) == 0 {
		return nil, nil
	}
	values := map[string]string{}
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, "=")
		if !ok || name == "" {
			return nil, withHint(fmt.Errorf("--input %q is not of the form name=value", flag), "write --input region=eu")
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("--input %s is given twice", name)
		}
		values[name] = value
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encode the inputs: %w", err)
	}
	return text, nil
}

func readFile(stdin io.Reader, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(stdin, maxOrder+1))
	}
	return os.ReadFile(path)
}

// readAlert reads the file of --alert, which has one.
func readAlert(stdin io.Reader, path string) ([]byte, error) {
	text, err := readFile(stdin, path)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("read the alert: %w", err), `a file with an alert is such as {"name": "ServiceDown", "labels": {"service": "shop"}}`)
	}
	return text, nil
}

// send posts an order and turns the answer into an error that a person can act on.
func send(ctx context.Context, url string, token, body []byte) (got receipt, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return got, fmt.Errorf("address the engine: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if len(token) > 0 {
		req.Header.Set("Authorization", "Bearer "+string(token))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return got, withHint(fmt.Errorf("reach the engine: %w", err), "is `pullbook serve` running, and is --server its address?")
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return got, withHint(fmt.Errorf("the engine answered %s", resp.Status), "--token-file names the file with the engine's alert token")
	case resp.StatusCode != http.StatusAccepted:
		return got, fmt.Errorf("the engine answered %s: %s", resp.Status, strings.TrimSpace(string(text)))
	case err != nil:
		return got, fmt.Errorf("read the engine's answer: %w", err)
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return got, fmt.Errorf("read the engine's answer: %w", err)
	}
	return got, nil
}

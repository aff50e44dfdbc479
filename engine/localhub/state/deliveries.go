package state

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// DeliveryLife is how long deliveries are kept, as on GitHub.
const DeliveryLife = 3 * 24 * time.Hour

// Unsent lists the events whose webhooks were not all sent when the hub ended, oldest first.
func (s *Store) Unsent() ([]Event, error) {
	rows, err := s.db.db.Query("SELECT body FROM event ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("read the events to send: %w", err)
	}
	defer rows.Close()
	var out []Event
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("read the events to send: %w", err)
		}
		var e Event
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, fmt.Errorf("read the events to send: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// Settle forgets an event whose webhooks are all sent.
func (s *Store) Settle(event int64) error {
	if _, err := s.db.dropEvent.Exec(event); err != nil {
		return fmt.Errorf("forget an event: %w", err)
	}
	return nil
}

// A Logged is a delivery that was made. If Settled is not 0, it was the last of that event.
type Logged struct {
	Delivery Delivery
	Settled  int64
}

// LogDeliveries keeps how deliveries went, in their order, and gives them their ids.
func (s *Store) LogDeliveries(list []Logged) error {
	err := s.db.within(func(tx *sql.Tx) error {
		for _, l := range list {
			if err := s.logDelivery(tx, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("log deliveries: %w", err)
	}
	return s.prune()
}

func (s *Store) logDelivery(tx *sql.Tx, l Logged) error {
	d := l.Delivery
	payload := d.Payload
	d.Payload = nil
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if _, err := tx.Stmt(s.db.addDelivery).Exec(d.App, d.GUID, d.Delivered.UnixMilli(), body, payload); err != nil {
		return err
	}
	if l.Settled == 0 {
		return nil
	}
	_, err = tx.Stmt(s.db.dropEvent).Exec(l.Settled)
	return err
}

// prune forgets old deliveries, once an hour.
func (s *Store) prune() error {
	s.mu.Lock()
	now := s.now()
	due := now.Sub(s.pruned) >= time.Hour
	if due {
		s.pruned = now
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	if _, err := s.db.db.Exec("DELETE FROM delivery WHERE at < ?", now.Add(-DeliveryLife).UnixMilli()); err != nil {
		return fmt.Errorf("forget old deliveries: %w", err)
	}
	return nil
}

// Delivered says whether a delivery with that GUID to that App is in the log.
func (s *Store) Delivered(app int64, guid string) (bool, error) {
	var found bool
	err := s.db.db.QueryRow("SELECT EXISTS (SELECT 1 FROM delivery WHERE guid = ? AND app = ?)", guid, app).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("look for delivery %s: %w", guid, err)
	}
	return found, nil
}

// Deliveries lists up to n of an App's deliveries, newest first and without their payloads, that are older than the one
// with id before (0: all).
func (s *Store) Deliveries(app, before int64, n int) ([]Delivery, error) {
	rows, err := s.db.db.Query(
		"SELECT id, body FROM delivery WHERE app = ? AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?", app, before, before, n)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	defer rows.Close()
	out := []Delivery{}
	for rows.Next() {
		var id int64
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, fmt.Errorf("list deliveries: %w", err)
		}
		d, err := delivery(id, body)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

func delivery(id int64, body []byte) (Delivery, error) {
	var d Delivery
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("read delivery %d: %w", id, err)
	}
	d.ID = id
	return d, nil
}

// Delivery finds one of an App's deliveries, with its payload.
func (s *Store) Delivery(app, id int64) (*Delivery, error) {
	var body, payload []byte
	err := s.db.db.QueryRow("SELECT body, payload FROM delivery WHERE app = ? AND id = ?", app, id).Scan(&body, &payload)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, NotFound()
	}
	if err != nil {
		return nil, fmt.Errorf("read delivery %d: %w", id, err)
	}
	d, err := delivery(id, body)
	if err != nil {
		return nil, err
	}
	d.Payload = payload
	return &d, nil
}

package state

// RefuseWrites makes the database refuse what is written, as a full disk would.
func (s *Store) RefuseWrites(on bool) error {
	query := "PRAGMA query_only = off"
	if on {
		query = "PRAGMA query_only = on"
	}
	_, err := s.db.db.Exec(query)
	return err
}

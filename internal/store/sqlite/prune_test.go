package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Somebody copies the files. What was pruned cannot be read in any of them:
// not in a free page, not in the log.
func TestErased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.db")
	s := open(t, Options{Path: path})
	const secret = "what k.a was told"
	const many = atATime*2 + 3
	for i := range many {
		e := event("k.a", fmt.Sprint("purpose", i), consent.Refuse)
		e.Shown, e.Receipt, e.Address = text(fmt.Sprint(secret, i)), secret, secret
		_, err := s.Append(t.Context(), e)
		must(t, err)
	}
	if err := erased(filepath.Dir(path), secret); err == nil {
		t.Fatal("the text is not found before it is pruned")
	}
	for _, c := range []struct{ limit, want int }{{atATime + 1, atATime + 1}, {many, atATime + 2}, {many, 0}} {
		n, err := s.Prune(t.Context(), event("", "", "").Time.AddDate(0, 0, 1), c.limit)
		if err != nil || n != c.want {
			t.Errorf("Prune: %d, want %d, %v", n, c.want, err)
		}
	}
	must(t, erased(filepath.Dir(path), secret))
	must(t, intact(t.Context(), s))
	if events, err := s.Events(t.Context(), "", 0, 10); err != nil || len(events) != 0 {
		t.Errorf("%d events are left, %v", len(events), err)
	}
}

// The same for the addresses, whose events stay.
func TestErasedAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.db")
	s := open(t, Options{Path: path})
	e := event("k.a", "news", consent.Grant)
	e.Address = "2001:db8:1:2::/64 of k.a"
	_, err := s.Append(t.Context(), e)
	must(t, err)
	if n, err := s.ForgetAddresses(t.Context(), e.Time.AddDate(0, 0, 1), 10); err != nil || n != 1 {
		t.Errorf("ForgetAddresses: %d, %v", n, err)
	}
	must(t, erased(filepath.Dir(path), e.Address))
	must(t, intact(t.Context(), s))
}

// Somebody makes a backup, which reads for long. Pruning says that the log
// still holds what it deleted, and does not keep people waiting.
func TestPruneWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.db")
	s := open(t, Options{Path: path})
	e := event("k.a", "news", consent.Refuse)
	e.Receipt = "of the refusal"
	_, err := s.Append(t.Context(), e)
	must(t, err)
	reading, err := s.read.BeginTx(t.Context(), nil)
	must(t, err)
	var n int
	must(t, reading.QueryRowContext(t.Context(), "SELECT count(*) FROM event").Scan(&n))
	began := time.Now()
	if n, err := s.Prune(t.Context(), e.Time.AddDate(0, 0, 1), 10); n != 1 || err == nil {
		t.Errorf("Prune while somebody reads: %d, %v", n, err)
	}
	if waited := time.Since(began); waited > 4*time.Second {
		t.Errorf("the writer waited %v for the reader", waited)
	}
	must(t, reading.Rollback())
	if n, err := s.Prune(t.Context(), e.Time.AddDate(0, 0, 1), 10); n != 0 || err != nil {
		t.Errorf("Prune after the reader: %d, %v", n, err)
	}
	must(t, erased(filepath.Dir(path), e.Receipt))
}

// However many subjects and old events there are, each statement goes
// through an index: none of them reads a table from end to end.
func TestFlat(t *testing.T) {
	s := open(t, Options{})
	for name, query := range map[string]string{
		"Load": loadSQL, "Events of one": eventsOfSQL, "Events": eventsSQL, "Due": dueSQL, "Prune": endedSQL, "ForgetAddresses": forgetAddressesSQL,
		"forgetting an old one": forgetSupersededSQL, "forgetting the latest": forgetStateSQL,
		"forgetting": forgetEventSQL, "forgetting a text": forgetTextSQL,
	} {
		for _, step := range plan(t, s, query) {
			scans := strings.HasPrefix(step, "SCAN ") && !strings.HasPrefix(step, "SCAN CONSTANT") && step != "SCAN h" && step != "SCAN p"
			if scans || strings.HasSuffix(step, "FOR ORDER BY") && name != "Events of one" {
				t.Errorf("%s: %s", name, step)
			}
		}
	}
}

// plan returns how SQLite goes about a statement.
func plan(t *testing.T, s *Store, query string) (steps []string) {
	t.Helper()
	args := []any{"k.a", 1, 1}
	rows, err := s.writer.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args[:params(query)]...)
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		must(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	must(t, rows.Err())
	return steps
}

// params is how many parameters a statement has.
func params(query string) int {
	for n := 3; n > 0; n-- {
		if strings.Contains(query, fmt.Sprint("?", n)) {
			return n
		}
	}
	return 0
}

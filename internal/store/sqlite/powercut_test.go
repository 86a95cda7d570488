package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// times is how often something that rests on chance is tried: more often in
// the long form of the proofs, less often when tests are to be short.
func times(usually, long int) int {
	switch {
	case os.Getenv("MODICUM_LONG") != "":
		return long
	case testing.Short():
		return usually / 4
	default:
		return usually
	}
}

// What was acknowledged is there after a power cut, whichever of the writes
// that were not synced reached the disk; no append is there in part; what was
// pruned does not come back.
func TestPowerCut(t *testing.T) {
	cuts := times(100, 3000)
	if lost := cutPower(t, "FULL", cuts, 0); len(lost) > 0 {
		t.Errorf("%d of %d cuts did harm; the first: %v", len(lost), cuts, lost[0])
	}
}

// The same, with a disk of which every eighth sync fails.
func TestPowerCutAfterFailedSyncs(t *testing.T) {
	cuts := times(50, 1000)
	if lost := cutPower(t, "FULL", cuts, 8); len(lost) > 0 {
		t.Errorf("%d of %d cuts did harm; the first: %v", len(lost), cuts, lost[0])
	}
}

// Sabotage: with synchronous=NORMAL the commits are not synced. The proof is
// worth something only if it notices.
func TestPowerCutNoticesMissingSyncs(t *testing.T) {
	cuts := times(50, 50)
	lost := cutPower(t, "NORMAL", cuts, 0)
	if len(lost) == 0 {
		t.Error("no cut lost anything, although nothing was synced")
	}
	t.Logf("%d of %d cuts did harm", len(lost), cuts)
	for _, err := range lost {
		if !errors.Is(err, errLost) {
			t.Errorf("without syncs events are lost, but the file stays whole: %v", err)
		}
	}
}

// errLost says that something acknowledged is not there.
var errLost = errors.New("it was acknowledged and is not there")

// acknowledged is an append or a deletion that was answered.
type acknowledged struct {
	position int // of the disk, when it was
	events   []consent.Event
	erased   string // a text that was pruned
}

// workload writes to a store and remembers what was acknowledged.
type workload struct {
	store *Store
	disk  *disk

	mu   sync.Mutex
	acks []acknowledged
}

// cutPower runs a workload, and checks what that many power cuts in the
// course of it leave. One in so many syncs fails; 0: none. It returns what is
// wrong.
func cutPower(t *testing.T, synchronous string, cuts, failing int) (wrong []error) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &workload{disk: newDisk(t, dir)}
	w.store = open(t, Options{Path: filepath.Join(dir, "consent.db"), Ballast: -1, vfs: shimName, synchronous: synchronous})
	if failing > 0 {
		w.disk.fail(func(kind opKind, _ string) int32 {
			if kind == opSync && rand.IntN(failing) == 0 { //nolint:gosec // not a secret
				return sqlite3.SQLITE_IOERR_FSYNC
			}
			return 0
		})
	}
	w.run(t)
	w.disk.fail(nil)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d operations, %d acknowledgements, seed %d", len(w.disk.ops), len(w.acks), seed)
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not a secret
	positions := make([]int, cuts)
	for i := range positions {
		positions[i] = rng.IntN(len(w.disk.ops) + 1)
	}
	slices.Sort(positions)
	// The empty file is there before SQLite sees it.
	files, done := replay{"consent.db": &platter{named: true}}, 0
	for _, position := range positions {
		for ; done < position; done++ {
			files.apply(w.disk.ops[done])
		}
		image := t.TempDir()
		writeFiles(t, image, files.cut(rng))
		if err := w.check(t.Context(), image, position); err != nil {
			wrong = append(wrong, fmt.Errorf("a cut after operation %d: %w", position, err))
		}
		if err := os.RemoveAll(image); err != nil {
			t.Fatal(err)
		}
	}
	return wrong
}

// run has several people choose at a time, while what is old is pruned.
func (w *workload) run(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for n := range 30 {
				w.choose(t, i, n)
			}
		})
	}
	wg.Go(func() {
		for n := range 10 {
			w.erase(t, n)
		}
	})
	wg.Wait()
}

// choose stores two events at once; sometimes a link with them.
func (w *workload) choose(t *testing.T, i, n int) {
	t.Helper()
	subject := consent.Subject(fmt.Sprint("k.", i))
	receipt := fmt.Sprintf("%d-%d", i, n)
	events := []consent.Event{
		event(subject, fmt.Sprint("a", n), consent.Grant), event(subject, fmt.Sprint("b", n), consent.Object),
	}
	events[0].Shown = text(strings.Repeat(receipt+" ", n*37))
	if n == 7 {
		events = append(events, link(subject, subject+"'"))
	}
	for k := range events {
		events[k].Receipt = receipt
	}
	w.append(t, events...)
	w.acknowledge(acknowledged{events: events})
}

// erase stores a refusal that is older than all else, and prunes it.
func (w *workload) erase(t *testing.T, n int) {
	t.Helper()
	e := event("k.erased", fmt.Sprint("c", n), consent.Refuse)
	e.Time = e.Time.AddDate(-5, 0, 0)
	e.Shown = text(fmt.Sprintf("secret %d, of which nothing may be left", n))
	w.append(t, e)
	_, err := w.store.Prune(t.Context(), e.Time.AddDate(1, 0, 0), 10)
	for err != nil && t.Context().Err() == nil {
		_, err = w.store.Prune(t.Context(), e.Time.AddDate(1, 0, 0), 10)
	}
	if err := erased(w.disk.dir, e.Shown.Text); err != nil {
		t.Error(err)
	}
	w.acknowledge(acknowledged{erased: e.Shown.Text})
}

// append stores events, trying again as often as it takes.
func (w *workload) append(t *testing.T, events ...consent.Event) {
	t.Helper()
	_, err := w.store.Append(t.Context(), events...)
	for err != nil && t.Context().Err() == nil {
		_, err = w.store.Append(t.Context(), events...)
	}
}

func (w *workload) acknowledge(a acknowledged) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.position = w.disk.position()
	w.acks = append(w.acks, a)
}

// check opens the files that a power cut left and says what is wrong.
func (w *workload) check(ctx context.Context, dir string, position int) (err error) {
	s, err := Open(ctx, Options{Path: filepath.Join(dir, "consent.db"), Ballast: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }() //nolint:contextcheck // Close takes none
	if err := intact(ctx, s); err != nil {
		return err
	}
	stored, err := s.Events(ctx, "", 0, 1<<20)
	if err != nil {
		return err
	}
	byReceipt, byID := map[string]int{}, map[uuid.UUID]consent.Event{}
	for _, e := range stored {
		byReceipt[e.Receipt]++
		byID[e.ID] = e
	}
	for _, a := range w.acks {
		for _, e := range a.events {
			if n := byReceipt[e.Receipt]; n != 0 && n != len(a.events) {
				return fmt.Errorf("%d of %d events of an append are there", n, len(a.events))
			}
			if got, ok := byID[e.ID]; a.position <= position && !ok {
				return errLost
			} else if ok && e.Shown != nil && *got.Shown != *e.Shown {
				return errors.New("a text is another")
			}
		}
		if a.erased != "" && a.position <= position {
			if err := erased(dir, a.erased); err != nil {
				return err
			}
		}
	}
	return nil
}

// intact checks the structure of a database, and what this package holds to
// be true of it.
func intact(ctx context.Context, s *Store) error {
	var answer string
	if err := s.write.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&answer); err != nil || answer != "ok" {
		return fmt.Errorf("integrity_check: %s: %w", answer, err)
	}
	for what, query := range map[string]string{
		"rows refer to rows that are not there": `SELECT count(*) FROM pragma_foreign_key_check`,
		"events are above the head":             `SELECT count(*) FROM event, head WHERE event.rev > head.rev`,
		"the head is not an event":              `SELECT count(*) FROM event, head WHERE event.rev = head.rev AND event.id <> head.event`,
		"events are neither latest nor superseded, or both": `SELECT count(*) FROM event e WHERE action <> 'link' AND
			(SELECT count(*) FROM state WHERE rev = e.rev) + (SELECT count(*) FROM superseded WHERE rev = e.rev) <> 1`,
		"texts belong to no event": `SELECT count(*) FROM shown WHERE digest NOT IN (SELECT shown FROM event WHERE shown IS NOT NULL)`,
	} {
		var n int
		if err := s.write.QueryRowContext(ctx, query).Scan(&n); err != nil || n != 0 {
			return fmt.Errorf("%d %s: %w", n, what, err)
		}
	}
	return nil
}

// erased looks for a text in all files of a directory.
func erased(dir, text string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name())) //nolint:gosec // a file of this test
		if err != nil {
			return err
		}
		if bytes.Contains(content, []byte(text)) {
			return fmt.Errorf("a text that was pruned is legible in %s", entry.Name())
		}
	}
	return nil
}

// event returns an event that nothing is wrong with.
func event(subject consent.Subject, purpose string, action consent.Action) consent.Event {
	return consent.Event{
		ID: uuid.Must(uuid.NewV7()), Subject: subject, Purpose: purpose, Action: action, Source: consent.FromPage,
		Time: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), Notice: "n0tice", Policy: "p0licy",
	}
}

// link returns the event that two subjects are one person.
func link(a, b consent.Subject) consent.Event {
	e := event(a, "", consent.Link)
	e.Other = b
	return e
}

// text returns a text that was shown.
func text(s string) *consent.Shown {
	sum := sha256.Sum256([]byte(s))
	return &consent.Shown{Digest: hex.EncodeToString(sum[:]), Language: "en", Text: s}
}

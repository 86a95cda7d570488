package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/modicum-proxy/modicum/internal/consent"
)

const (
	// maxQueued is how many callers wait for the writer; more wait for a place.
	maxQueued = 1024
	// maxBatch is how many callers share a commit.
	maxBatch = 256
	// maxBatchBytes ends a batch whose texts are long.
	maxBatchBytes = 4 << 20
)

var (
	errClosed = fmt.Errorf("%w: it is closed", consent.ErrUnavailable)
	// errCommit says that the COMMIT itself failed. What the disk then holds
	// is settled by the next commit only, which writes over it.
	errCommit = errors.New("committing")
)

// writer is the one goroutine that writes. It takes all callers that wait
// into one transaction, so that they share the wait for the disk.
type writer struct {
	conn    *sql.Conn
	insert  *inserts
	guard   *guard
	ballast *ballast
	legible bool // the log may hold what was deleted

	jobs   chan *job
	chores chan *chore
	quit   chan struct{}
	done   chan struct{}
	once   sync.Once
}

// chore is anything else that writes, in transactions of its own.
type chore struct {
	do   func(context.Context, *sql.Conn) error
	done chan error
}

func newWriter(ctx context.Context, db *sql.DB, o Options) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn: conn, ballast: newBallast(o),
		jobs: make(chan *job, maxQueued), chores: make(chan *chore),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	if w.insert, err = prepareInserts(ctx, conn); err == nil {
		w.guard, err = newGuard(o.Path, o.Log)
	}
	if err != nil {
		_ = conn.Close() // the first error says more
		return nil, err
	}
	return w, nil
}

// run writes until stop. A job that is taken is answered.
func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case <-w.quit:
			return
		case c := <-w.chores:
			c.done <- w.chore(c)
		case j := <-w.jobs:
			if batch := w.gather(j); len(batch) > 0 {
				w.store(batch)
			}
		}
	}
}

// gather takes the jobs that wait.
func (w *writer) gather(first *job) []*job {
	var batch []*job
	size := 0
	for j := first; ; {
		if j.state.CompareAndSwap(queued, taken) {
			batch = append(batch, j)
			size += j.size()
		}
		if len(batch) >= maxBatch || size >= maxBatchBytes {
			return batch
		}
		select {
		case j = <-w.jobs:
		default:
			return batch
		}
	}
}

// store commits a batch and answers its callers.
func (w *writer) store(batch []*job) {
	w.ballast.restore()
	if w.ballast.full {
		batch = spare(batch, errFull)
	}
	err := w.transact(batch)
	if isFull(err) {
		batch, err = w.storeOnFullDisk(spare(batch, err), err)
	}
	if errors.Is(err, errCommit) && !isFull(err) {
		err = w.transact(batch) // asks again, by ID: a commit settles what the last one left
	}
	for _, j := range batch {
		j.answer(err)
	}
}

// transact stores a batch in one transaction. It leaves each job with the
// result that it has when the error is nil.
func (w *writer) transact(batch []*job) (err error) {
	if len(batch) == 0 {
		return nil
	}
	ctx := context.Background() // no caller ends what the others wait for
	if err := w.guard.check(); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = w.conn.ExecContext(ctx, "ROLLBACK") // fails when SQLite has done it already
		}
	}()
	if err := w.insert.begin(ctx); err != nil {
		return err
	}
	for _, j := range batch {
		if j.result, err = w.insert.job(ctx, w.conn, j.events); err != nil {
			return err
		}
	}
	if err := w.insert.end(ctx); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	// Whoever replaced the file since has lost the events with the old one.
	if err := w.guard.check(); err != nil {
		return fmt.Errorf("%w: %w", consent.ErrOutcomeUnknown, err)
	}
	return nil
}

// write runs a chore between two batches.
func (w *writer) write(ctx context.Context, do func(context.Context, *sql.Conn) error) error {
	c := &chore{do: do, done: make(chan error, 1)}
	select {
	case w.chores <- c:
		return <-c.done
	case <-w.done:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) chore(c *chore) error {
	if err := w.guard.check(); err != nil {
		return err
	}
	return c.do(context.Background(), w.conn)
}

// stop ends the goroutine after the batch that it writes.
func (w *writer) stop() {
	w.once.Do(func() { close(w.quit) })
	<-w.done
}

// close gives the connection back, with nothing left in the log.
func (w *writer) close() error {
	var errs []error
	if w.guard.check() == nil {
		errs = append(errs, checkpoint(context.Background(), w.conn))
	}
	errs = append(errs, w.insert.close(), w.conn.Close())
	return errors.Join(errs...)
}

// checkpoint moves the write-ahead log into the database and empties it: a
// page that was deleted from the one would still be legible in the other. It
// waits for those who read, but not long, since nobody can write meanwhile.
func checkpoint(ctx context.Context, conn *sql.Conn) error {
	var busy, frames, moved int
	_, err := conn.ExecContext(ctx, "PRAGMA busy_timeout(200)")
	if err == nil {
		err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	}
	if err == nil && busy != 0 {
		err = errors.New("another connection is reading")
	}
	_, restored := conn.ExecContext(ctx, "PRAGMA busy_timeout("+busyTimeout+")")
	err = errors.Join(err, restored)
	if err != nil {
		return fmt.Errorf("emptying the write-ahead log: %w", err)
	}
	return nil
}

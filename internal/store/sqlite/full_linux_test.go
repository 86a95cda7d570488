package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// fillDisk names a directory in which this process mounts a small disk, fills
// it and withdraws. The mount is in a namespace of its own and ends with it.
const fillDisk = "MODICUM_TEST_FULL_DISK"

// A real disk runs full.
func TestFullDisk(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very test
	child.Env = append(os.Environ(), fillDisk+"="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := child.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM) || strings.Contains(string(out), errNoMount.Error()):
		t.Skipf("this process may not mount a disk: %v %s", err, out)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
	t.Log(string(out))
}

var errNoMount = errors.New("mounting a disk")

// withdrawOnFullDisk runs in the other process.
func withdrawOnFullDisk(dir string) error {
	ctx := context.Background()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	now := time.Now()
	s, err := Open(ctx, Options{Path: filepath.Join(dir, "consent.db"), Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	grants := func() (n int, err error) {
		for ; n < 1<<20; n++ {
			e := event(consent.Subject(fmt.Sprint("k.", n)), "news", consent.Grant)
			e.Shown = text(strings.Repeat(fmt.Sprint("text ", n, " "), 1000))
			if _, err := s.Append(ctx, e); err != nil {
				return n, err
			}
		}
		return n, nil
	}
	given, err := grants()
	if !errors.Is(err, consent.ErrUnavailable) {
		return fmt.Errorf("grants ended with %w", err)
	}
	withdrawn := 0
	for ; withdrawn < 2000; withdrawn++ {
		if _, err := s.Append(ctx, event(consent.Subject(fmt.Sprint("k.", withdrawn%given)), "news", consent.Withdraw)); err != nil {
			fmt.Println("withdrawing ended with", err)
			break
		}
		if withdrawn == 10 {
			if _, err := grants(); !errors.Is(err, errFull) {
				return fmt.Errorf("a grant while the ballast is given up: %w", err)
			}
		}
	}
	fmt.Printf("%d grants filled the disk, then %d withdrawals were stored\n", given, withdrawn)
	if withdrawn < 500 {
		return errors.New("that is too few")
	}
	if err := intact(ctx, s); err != nil {
		return err
	}
	record, err := s.Load(ctx, "k.0")
	if err != nil || record.Revision != consent.Revision(given+withdrawn) || record.Latest[0].Action != consent.Withdraw {
		return fmt.Errorf("the record is %+v: %w", record, err)
	}
	// The room that was given up is still there, but it is no room again.
	now = now.Add(restoreEvery)
	if _, err := grants(); !errors.Is(err, errFull) {
		return fmt.Errorf("a grant while the disk is full: %w", err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=32m"); err != nil {
		return err
	}
	now = now.Add(restoreEvery)
	if _, err := s.Append(ctx, event("k.new", "news", consent.Grant)); err != nil {
		return fmt.Errorf("after there was room: %w", err)
	}
	return s.Close()
}

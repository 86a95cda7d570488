package command

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a terminal: what a command writes to tty can
// be read from screen.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine has no terminals:", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return screen, tty
}

// seen returns what the screen shows, up to a word.
func seen(t *testing.T, screen *os.File, word string) string {
	t.Helper()
	var text bytes.Buffer
	for buf := make([]byte, 1024); !strings.Contains(text.String(), word); {
		n, err := screen.Read(buf)
		if err != nil {
			t.Fatalf("%v, seen %q", err, text.String())
		}
		text.Write(buf[:n])
	}
	return text.String()
}

// A site's front end can store a text as evidence that would control the operator's
// terminal when an export is displayed (CWE-150).
func TestExportSeenOnTerminal(t *testing.T) {
	screen, tty := openTerminal(t)
	w, done := withProgress(tty, tty)
	if _, err := io.WriteString(w, "[\n\"ф\x1b[2J\u009b2J\r\" END"); err != nil {
		t.Fatal(err)
	}
	done()
	if got := seen(t, screen, "END"); got != "[\r\n\"ф·[2J·2J\" END" {
		t.Errorf("seen %q", got)
	}
}

// A terminal shows the progress of an export into a file; the export itself is
// unchanged, and nothing is shown if there is no terminal.
func TestExportProgress(t *testing.T) {
	screen, tty := openTerminal(t)
	var file bytes.Buffer
	w, done := withProgress(&file, tty)
	const text = "\x1b[2J as it was"
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, screen, "exporting"); strings.Contains(got, "as it was") || file.String() != text {
		t.Errorf("seen %q, written %q", got, file.String())
	}
	done()
	var messages bytes.Buffer
	w, done = withProgress(&file, &messages)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	done()
	if messages.Len() > 0 || file.String() != text+text {
		t.Errorf("messages %q, written %q", messages.String(), file.String())
	}
}

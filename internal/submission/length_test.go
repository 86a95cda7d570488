package submission

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestKeepLength: Django and PHP behind FastCGI find a body in chunks empty.
// What goes on has a length that is known before its first byte, and ends in
// nothing but empty lines behind the closing delimiter.
func TestKeepLength(t *testing.T) {
	file := "name=\"f\"; filename=\"x\"\n\n" + strings.Repeat("x", 100_000)
	dropped := "name=\"dropped\"; filename=\"x\"\n\n" + strings.Repeat("y", 100_000)
	for name, in := range map[string]string{
		"all goes on":      form("name=\"a\"\n\n1", file),
		"most is left out": form("name=\"a\"\n\n1", dropped, file, dropped),
		"all is left out":  form(dropped),
		"no part":          "--B--\r\n",
		"many small parts": form(slices.Repeat([]string{"name=t\n\n"}, 1000)...),
	} {
		p := filePlan(t, "a", "file:f", "t.*")
		rep := new(Report)
		rep.Reset(p)
		plain := NewMultipart(strings.NewReader(in), "B", p, DefaultLimits(), rep)
		want, err := io.ReadAll(plain)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = plain.Close()
		for _, size := range []int{1, 1000, 1 << 20} {
			rep.Reset(p)
			m := NewMultipart(strings.NewReader(in), "B", p, DefaultLimits(), rep)
			ends := 0
			m.BeforeEnd = func() error { ends++; return nil }
			length := m.KeepLength(int64(len(in)))
			out, err := readBy(m, size)
			if err != io.EOF || int64(len(out)) != length || ends != 1 { //nolint:errorlint // an end comes as it is
				t.Errorf("%s: read %d bytes of %d, %v; %d ends", name, len(out), length, err, ends)
			}
			body, rest, _ := strings.Cut(out, m.Boundary()+"--\r\n")
			body += m.Boundary() + "--\r\n"
			if body != strings.ReplaceAll(string(want), plain.Boundary(), m.Boundary()) {
				t.Errorf("%s: the form is another", name)
			}
			if strings.Trim(rest, "\r\n") != "" {
				t.Errorf("%s: the form goes on behind its end", name)
			}
			_ = m.Close()
		}
	}
}

func readBy(r io.Reader, size int) (string, error) {
	var out strings.Builder
	buf := make([]byte, size)
	for {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String(), err
		}
	}
}

// TestKeepLengthOvergrown: where a closing delimiter is not asked for, as by
// PHP, a form that is cut off at its length passes for whole. So it is
// refused before.
func TestKeepLengthOvergrown(t *testing.T) {
	long := &Constant{Text: strings.Repeat("c", 20_000)}
	p, err := NewPlan([]Field{
		{Path: segments("a"), Reason: "no_consent", Otherwise: long},
		{Path: segments("b"), Reason: "no_consent", Otherwise: long},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	rep := new(Report)
	rep.Reset(p)
	in := strings.ReplaceAll(form("name=\"a\"\n\n1", "name=\"b\"\n\n1"), "B", strings.Repeat("B", 40))
	m := NewMultipart(strings.NewReader(in), strings.Repeat("B", 40), p, DefaultLimits(), rep)
	length := m.KeepLength(int64(len(in)))
	out, err := readBy(m, 1000)
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Rule != "form-growth" || int64(len(out)) >= length {
		t.Errorf("read %d bytes of %d: %v", len(out), length, err)
	}
	_ = m.Close()

	// Nor is it as long as was said when it cannot be recorded.
	rep.Reset(p)
	m = NewMultipart(strings.NewReader(form("name=\"x\"\n\n1")), "B", p, DefaultLimits(), rep)
	down := errors.New("the ledger is down")
	m.BeforeEnd = func() error { return down }
	length = m.KeepLength(100)
	if out, err := readBy(m, 1000); !errors.Is(err, down) || int64(len(out)) >= length {
		t.Errorf("read %d bytes of %d: %v", len(out), length, err)
	}
	_ = m.Close()
}

//go:build unix

package cases

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// hold returns an error unless words hold one of each of has, and none of lacks.
func hold(where, words string, has []oneOf[string], lacks []string) error {
	for _, wanted := range has {
		if !slices.ContainsFunc(wanted, func(w string) bool { return strings.Contains(words, w) }) {
			return fmt.Errorf("%s does not say %s, but: %s", where, short(wanted), strings.TrimSpace(words))
		}
	}
	for _, unwanted := range lacks {
		if strings.Contains(words, unwanted) {
			return fmt.Errorf("%s says %s: %s", where, unwanted, strings.TrimSpace(words))
		}
	}
	return nil
}

// compare compares what a command printed and how it ended.
func (s *speech) compare(command string, exit int, words string) error {
	if err := hold(command, words, s.Has, s.Lacks); err != nil {
		return err
	}
	if !slices.Contains(s.Exit, exit) {
		return fmt.Errorf("%s ends with %d: %s", command, exit, words)
	}
	return nil
}

// check compares what `modicum check` says about the policy.
func (f *folder) check(s *speech) error {
	args := []string{"check", policyFile}
	if s.Strict {
		args = append(args, "--strict")
	}
	exit, words := f.command(args...)
	for _, d := range s.Says {
		before, _, ok := strings.Cut(string(f.Policy), d.At)
		if !ok {
			return fmt.Errorf("the policy has no %q", d.At)
		}
		place := fmt.Sprintf("%s:%d:", policyFile, strings.Count(before, "\n")+1)
		var said []string
		for line := range strings.Lines(words) {
			if strings.HasPrefix(line, place) && slices.ContainsFunc(d.Level, func(level string) bool { return strings.Contains(line, ": "+level+": ") }) {
				said = append(said, line)
			}
		}
		if said == nil {
			return fmt.Errorf("check has no %s at %s (%s), but: %s", strings.Join(d.Level, " or "), place, d.At, words)
		}
		if err := hold("check at "+place, strings.Join(said, ""), d.Has, nil); err != nil {
			return err
		}
	}
	return s.compare("check", exit, words)
}

// compare sends a request and compares what comes of it.
func (f *folder) compare(r *request) error {
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	for len(f.arrived) > 0 {
		<-f.arrived
	}
	res, err := f.send(r)
	if err != nil {
		return err
	}
	want := r.Expect
	if !slices.Contains(want.Status, res.StatusCode) {
		return fmt.Errorf("%s %s is answered with %d: %s", r.Method, r.Target, res.StatusCode, short(res.body))
	}
	if want.Upstream != nil {
		if err := f.compareArrival(want, res.StatusCode); err != nil {
			return err
		}
	}
	if want.Response != nil {
		for name, value := range want.Response.Headers {
			if got := joined(res.Header, name); !value.matches(got) {
				return fmt.Errorf("the header %s of the answer is %v", name, got)
			}
		}
		if err := hold("the answer", res.body, want.Response.Has, want.Response.Lacks); err != nil {
			return err
		}
	}
	// A line of the log can come after the answer.
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		log := f.read(collected)
		err := errors.Join(
			hold("neither the answer nor the log", res.body+"\n"+log, want.Tells, nil),
			hold("the log", log, want.Log.Has, want.Log.Lacks),
		)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func joined(h http.Header, name string) any {
	if values := h.Values(name); len(values) > 0 {
		return strings.Join(values, ", ")
	}
	return nil
}

func (f *folder) compareArrival(want *expect, status int) error {
	var got arrival
	select {
	case got = <-f.arrived:
		if string(want.Upstream) == "null" {
			return fmt.Errorf("it arrived: %s %s", got.target, short(got.body))
		}
	default:
		if string(want.Upstream) != "null" && status < 300 {
			return errors.New("nothing arrived")
		}
		return nil
	}
	up := new(upstream)
	if err := unmarshalStrictly(want.Upstream, up); err != nil {
		return err
	}
	return errors.Join(up.compareTarget(got), up.compareBody(got), up.compareHeaders(got), up.compareAbsent(got))
}

func (u *upstream) compareTarget(got arrival) error {
	if u.Target != nil && got.target != *u.Target {
		return fmt.Errorf("the target that arrived is %s", got.target)
	}
	if u.Query != nil {
		_, query, _ := strings.Cut(got.target, "?")
		return comparePairs("query", u.Query, query)
	}
	return nil
}

func comparePairs(what string, want [][2]wanted, raw string) error {
	var got [][2]string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if pair == "" && raw == "" && !ok {
			break
		}
		name, err := url.QueryUnescape(name)
		if err != nil {
			return err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return err
		}
		got = append(got, [2]string{name, value})
	}
	if !slices.EqualFunc(want, got, func(w [2]wanted, g [2]string) bool { return w[0].matches(g[0]) && w[1].matches(g[1]) }) {
		return fmt.Errorf("the %s that arrived is %s", what, short(got))
	}
	return nil
}

func (u *upstream) compareBody(got arrival) error {
	if u.Form != nil {
		if err := comparePairs("form", u.Form, got.body); err != nil {
			return err
		}
	}
	if u.Parts != nil {
		parts, err := partsOf(got)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(u.Parts, parts, part.matches) {
			return fmt.Errorf("the parts that arrived are %+v", parts)
		}
	}
	if u.JSON.set && !sameJSON(u.JSON.value, got.body) {
		return fmt.Errorf("the JSON that arrived is %s", short(got.body))
	}
	if u.Lines != nil {
		lines := strings.Split(strings.TrimSuffix(got.body, "\n"), "\n")
		if !slices.EqualFunc(u.Lines, lines, func(w wanted, g string) bool { return sameJSON(w.value, g) }) {
			return fmt.Errorf("the lines that arrived are %s", short(got.body))
		}
	}
	if u.Body != nil && got.body != string(*u.Body) {
		return fmt.Errorf("the body that arrived (%d bytes) is %s", len(got.body), short(got.body))
	}
	return nil
}

// arrivedPart is a part as it arrived. Name, file name and type are strings or
// nil.
type arrivedPart struct {
	name, filename, kind any
	body                 string
}

var dispositionParameter = regexp.MustCompile(`; (\w+)="([^"]*)"`)

// partsOf reads a multipart form as nothing but a well-formed one can be read.
func partsOf(got arrival) (parts []arrivedPart, err error) {
	kind, parameters := mediaType(got)
	if kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, fmt.Errorf("what arrived is no multipart form, but %s", kind)
	}
	pieces := strings.Split("\r\n"+got.body, "\r\n--"+parameters["boundary"])
	if pieces[0] != "" || len(pieces) < 2 || !strings.HasPrefix(pieces[len(pieces)-1], "--") {
		return nil, fmt.Errorf("the multipart form that arrived is not well-formed: %s", short(got.body))
	}
	for _, piece := range pieces[1 : len(pieces)-1] {
		head, body, _ := strings.Cut(strings.TrimPrefix(piece, "\r\n"), "\r\n\r\n")
		headers := arrival{head: head}
		p := arrivedPart{kind: headers.header("Content-Type"), body: body}
		disposition, _ := headers.header("Content-Disposition").(string)
		for _, m := range dispositionParameter.FindAllStringSubmatch(disposition, -1) {
			switch m[1] {
			case "name":
				p.name = m[2]
			case "filename":
				p.filename = m[2]
			default:
				return nil, fmt.Errorf("a part that arrived has the parameter %s", m[1])
			}
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func (p part) matches(got arrivedPart) bool {
	switch {
	case p.Name.set && !p.Name.matches(got.name),
		!p.Filename.matches(got.filename),
		p.Type.set && !p.Type.matches(got.kind):
		return false
	case p.JSON.set:
		return sameJSON(p.JSON.value, got.body)
	case p.Base64 != nil:
		return string(p.Base64) == got.body
	}
	return p.Body != nil && string(*p.Body) == got.body
}

// mediaType returns the media type of a request and its parameters.
func mediaType(got arrival) (string, map[string]string) {
	header, ok := got.header("Content-Type").(string)
	if !ok {
		header = "none/none"
	}
	kind, parameters, err := mime.ParseMediaType(header)
	if err != nil {
		return err.Error(), nil
	}
	return kind, parameters
}

func (u *upstream) compareHeaders(got arrival) error {
	kind, parameters := mediaType(got)
	if u.Type != "" && kind != u.Type {
		return fmt.Errorf("the type that arrived is %s", kind)
	}
	delete(parameters, "boundary")
	if u.Parameters != nil && !reflect.DeepEqual(parameters, u.Parameters) {
		return fmt.Errorf("the parameters of the type that arrived are %v", parameters)
	}
	for name, value := range u.Headers {
		if arrived := got.header(name); !value.matches(arrived) {
			return fmt.Errorf("the header %s that arrived is %v", name, arrived)
		}
	}
	return nil
}

func (u *upstream) compareAbsent(got arrival) error {
	everything := got.target + "\n" + got.head + "\n" + got.body
	for _, unwanted := range u.Absent {
		if strings.Contains(everything, unwanted) {
			return fmt.Errorf("%s arrived: %s", unwanted, short(everything))
		}
	}
	return nil
}

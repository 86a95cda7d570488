package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/operator"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/subject"
)

func init() {
	caddy.RegisterModule(new(consentAPI))
}

// consentAPI lets the operator manage consents on the admin endpoint:
//
//	GET  /minimize/consent/list      the state of each consent, of everybody
//	POST /minimize/consent/list      … of one person
//	GET  /minimize/consent/export    the evidence, of everybody
//	POST /minimize/consent/export    … of one person
//	POST /minimize/consent/withdraw  withdraw on behalf of a person
//
// A GET takes purpose, limit, format and choices as parameters; the body of a
// POST is an [operator.Query]. Only a body may identify a person: Caddy logs the
// URL and the headers of every admin request.
type consentAPI struct {
	ctx caddy.Context
}

// CaddyModule returns the Caddy module information. The name has no dot before
// consent because Caddy loads only modules directly below admin.api.
func (*consentAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.minimize_consent", New: func() caddy.Module { return new(consentAPI) }}
}

// Provision implements [caddy.Provisioner].
func (a *consentAPI) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	return nil
}

// Routes implements [caddy.AdminRouter].
func (a *consentAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/minimize/consent/list", Handler: a.streaming(listType, (*operator.Service).List)},
		{Pattern: "/minimize/consent/export", Handler: a.streaming(operator.Format.MediaType, (*operator.Service).Export)},
		{Pattern: "/minimize/consent/withdraw", Handler: caddy.AdminHandlerFunc(a.withdraw)},
	}
}

func listType(operator.Format) string { return operator.JSON.MediaType() }

// streaming returns a handler that writes its answer while it reads the store.
func (a *consentAPI) streaming(mediaType func(operator.Format) string, write func(*operator.Service, context.Context, io.Writer, *operator.Query) error) caddy.AdminHandler {
	return caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		q, err := readQuery(w, r, http.MethodGet, http.MethodPost)
		if err != nil {
			return err
		}
		s, done, err := a.service()
		if err != nil {
			return err
		}
		defer done()
		answer := &answerWriter{ResponseWriter: w, mediaType: mediaType(q.Format)}
		out := bufio.NewWriterSize(answer, 1<<16)
		if err = write(s, r.Context(), out, q); err == nil {
			err = out.Flush()
		}
		switch {
		case err == nil:
			return nil
		case !answer.begun:
			return apiError(err)
		}
		// A part is sent: abort, so that the client sees that it is incomplete.
		a.ctx.Logger().Error("writing consents", zap.Error(err))
		panic(http.ErrAbortHandler)
	})
}

// answerWriter sets the headers of a successful answer before its first byte, so
// that an earlier error can still have a status of its own.
type answerWriter struct {
	http.ResponseWriter

	mediaType string
	begun     bool
}

// Write implements [io.Writer].
func (a *answerWriter) Write(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		a.Header().Set("Content-Type", a.mediaType)
		a.Header().Set("Cache-Control", "no-store")
	}
	return a.ResponseWriter.Write(p)
}

// withdraw answers once the withdrawal is in force.
func (a *consentAPI) withdraw(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(w, r, http.MethodPost)
	if err != nil {
		return err
	}
	s, done, err := a.service()
	if err != nil {
		return err
	}
	defer done()
	// It is completed even if the client does not wait for the answer.
	withdrawn, err := s.Withdraw(context.WithoutCancel(r.Context()), q)
	if err != nil {
		return apiError(err)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(withdrawn)
}

// service returns the service of the configuration in force. done releases its
// store.
func (a *consentAPI) service() (s *operator.Service, done func(), err error) {
	app, err := a.ctx.AppIfConfigured("minimize")
	if err != nil {
		return nil, nil, noStore()
	}
	return app.(*App).operatorService()
}

func noStore() error {
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no store of consents is configured: minimize { store sqlite <path> } in the global options")}
}

// operatorService returns the operator's service for the app's store, which stays
// open until done is called.
func (a *App) operatorService() (s *operator.Service, done func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.store == nil {
		return nil, nil, noStore()
	}
	store, keys := a.store, a.keys
	store.begin()
	return &operator.Service{
		Registry: store.Registry, Policies: a.sets, Now: time.Now, NewID: newEventID,
		Subjects: func(id subject.Identity) ([]consent.Subject, error) {
			country := "" // of telephone numbers without a country code
			if sets := a.sets(); len(sets) > 0 {
				country = sets[0].Controller.Country
			}
			return keys.Named(id, country)
		},
	}, store.end, nil
}

// sets returns the policies in use.
func (a *App) sets() []*policy.Set {
	var sets []*policy.Set
	for _, p := range a.inUse() {
		sets = append(sets, p.Load())
	}
	return sets
}

// maxQuery bounds the body of a query in bytes.
const maxQuery = 1 << 16

// readQuery reads the query of a request. Its errors contain no part of it.
func readQuery(w http.ResponseWriter, r *http.Request, methods ...string) (*operator.Query, error) {
	switch {
	case !slices.Contains(methods, r.Method):
		return nil, caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("expected %s", strings.Join(methods, ", "))}
	case r.Method == http.MethodGet:
		return readGet(r)
	}
	return readPost(w, r)
}

func badQuery(message string) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(message)}
}

func readGet(r *http.Request) (*operator.Query, error) {
	q := new(operator.Query)
	for name, values := range r.URL.Query() {
		if len(values) != 1 {
			return nil, badQuery("a parameter of the query is given twice")
		}
		switch name {
		case "purpose":
			q.Purpose = values[0]
		case "format":
			q.Format = operator.Format(values[0])
		case "choices":
			q.Choices = values[0]
		case "limit":
			n, err := strconv.ParseUint(values[0], 10, 31)
			if err != nil {
				return nil, badQuery("limit: expected a number")
			}
			q.Limit = int(n)
		default:
			return nil, badQuery("unknown parameter: expected purpose, format, choices or limit; a person is named in the body of a POST, which is not logged")
		}
	}
	return q, nil
}

// readPost requires the media type of JSON: a web page in a browser on this
// machine can send other types without a preflight request (CWE-352).
func readPost(w http.ResponseWriter, r *http.Request) (*operator.Query, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, caddy.APIError{HTTPStatus: http.StatusUnsupportedMediaType, Err: errors.New("expected Content-Type: application/json")}
	}
	q := new(operator.Query)
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuery))
	in.DisallowUnknownFields()
	err := in.Decode(q)
	if err == nil {
		_, err = in.Token()
	}
	if !errors.Is(err, io.EOF) || q.Limit < 0 {
		return nil, badQuery(`the body is no query: expected one JSON object with subject or identity {kind, value}, and purpose, all, format, choices or limit`)
	}
	return q, nil
}

// apiError adds the HTTP status to an error of the operator's service.
func apiError(err error) error {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, operator.ErrQuery):
		status = http.StatusBadRequest
	case errors.Is(err, operator.ErrNobody), errors.Is(err, operator.ErrNothing):
		status = http.StatusNotFound
	case errors.Is(err, consent.ErrUnavailable), errors.Is(err, consent.ErrOutcomeUnknown), errors.Is(err, consent.ErrPending):
		status = http.StatusServiceUnavailable
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// Interface guards.
var (
	_ caddy.AdminRouter = (*consentAPI)(nil)
	_ caddy.Provisioner = (*consentAPI)(nil)
)

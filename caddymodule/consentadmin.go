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

// consentAPI is the operator's desk on the admin endpoint:
//
//	GET  /minimize/consent/list      what stands, of everybody
//	POST /minimize/consent/list      … of a person
//	GET  /minimize/consent/export    the evidence, of everybody
//	POST /minimize/consent/export    … of a person
//	POST /minimize/consent/withdraw  withdraw on a person's behalf
//
// A GET takes purpose, limit, format and choices as its query; the body of a
// POST is a [operator.Query]. A person is named in bodies only: Caddy logs the
// address and the headers of every admin request.
type consentAPI struct {
	ctx caddy.Context
}

// CaddyModule returns the Caddy module information.
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

// streaming answers with what is written while it is read from the store.
func (a *consentAPI) streaming(mediaType func(operator.Format) string, write func(*operator.Service, context.Context, io.Writer, *operator.Query) error) caddy.AdminHandler {
	return caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		q, err := readQuery(w, r, http.MethodGet, http.MethodPost)
		if err != nil {
			return err
		}
		d, done, err := a.desk()
		if err != nil {
			return err
		}
		defer done()
		answer := &lateAnswer{ResponseWriter: w, mediaType: mediaType(q.Format)}
		out := bufio.NewWriterSize(answer, 1<<16)
		if err = write(d, r.Context(), out, q); err == nil {
			err = out.Flush()
		}
		switch {
		case err == nil:
			return nil
		case !answer.begun:
			return apiError(err)
		}
		// Part of it is out: the client has to see that it is not whole.
		a.ctx.Logger().Error("writing consents", zap.Error(err))
		panic(http.ErrAbortHandler)
	})
}

// lateAnswer says that all is well when the first byte is there.
type lateAnswer struct {
	http.ResponseWriter

	mediaType string
	begun     bool
}

// Write implements [io.Writer].
func (a *lateAnswer) Write(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		a.Header().Set("Content-Type", a.mediaType)
		a.Header().Set("Cache-Control", "no-store")
	}
	return a.ResponseWriter.Write(p)
}

// withdraw answers when the withdrawal is in force.
func (a *consentAPI) withdraw(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(w, r, http.MethodPost)
	if err != nil {
		return err
	}
	d, done, err := a.desk()
	if err != nil {
		return err
	}
	defer done()
	// Carried through even when whoever asked does not wait for the answer.
	withdrawn, err := d.Withdraw(context.WithoutCancel(r.Context()), q)
	if err != nil {
		return apiError(err)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(withdrawn)
}

// desk returns the desk of the configuration in force, and what lets go of
// its store.
func (a *consentAPI) desk() (*operator.Service, func(), error) {
	app, err := a.ctx.AppIfConfigured("minimize")
	if err != nil {
		return nil, nil, noStore()
	}
	return app.(*App).desk()
}

func noStore() error {
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no store of consents is configured: minimize { store sqlite <path> } in the global options")}
}

// desk returns the desk of the app's store, which stays open until done is
// called.
func (a *App) desk() (d *operator.Service, done func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.store == nil {
		return nil, nil, noStore()
	}
	store, keys := a.store, a.keys
	store.begin()
	return &operator.Service{
		Registry: store.Registry, Policies: a.sets, Now: time.Now, NewID: newEventID,
		Subjects: func(id subject.Identity) ([]consent.Subject, error) { return namedAnywhere(keys, id, a.sets()) },
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

// namedAnywhere returns the pseudonyms of whom the operator names. A telephone
// number without a code is one of the controller's country.
func namedAnywhere(keys *subject.Keys, id subject.Identity, sets []*policy.Set) ([]consent.Subject, error) {
	country := ""
	if len(sets) > 0 {
		country = sets[0].Controller.Country
	}
	return keys.Named(id, country)
}

// maxQuery bounds the body of a query.
const maxQuery = 1 << 16

// readQuery reads what is asked for. Errors hold nothing of it.
func readQuery(w http.ResponseWriter, r *http.Request, methods ...string) (*operator.Query, error) {
	for _, method := range methods {
		if r.Method != method {
			continue
		}
		if method == http.MethodGet {
			return readGet(r)
		}
		return readPost(w, r)
	}
	return nil, caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("expected %s", strings.Join(methods, ", "))}
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

// readPost takes JSON that says so only: a page in a browser on this machine
// can send any other type without asking (CWE-352).
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

// apiError says what became of a query.
func apiError(err error) error {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, operator.ErrQuery):
		status = http.StatusBadRequest
	case errors.Is(err, operator.ErrNobody), errors.Is(err, operator.ErrNothing):
		status = http.StatusNotFound
	case errors.Is(err, consent.ErrUnavailable), errors.Is(err, consent.ErrOutcomeUnknown):
		status = http.StatusServiceUnavailable
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// Interface guards.
var (
	_ caddy.AdminRouter = (*consentAPI)(nil)
	_ caddy.Provisioner = (*consentAPI)(nil)
)

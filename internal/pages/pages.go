// Package pages serves the pages on which people give and withdraw consent,
// without scripts, and an API for a site's own front end. It does not depend on a
// server or a store.
package pages

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/limit"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Consents reads and stores the choices of the person behind a request.
type Consents interface {
	// Choices returns what the person chose about the given purposes, in their
	// order.
	Choices(r *http.Request, set *policy.Set, purposes []policy.PurposeID) ([]consent.Choice, error)
	// Choose stores decisions of the person. If it returns nil, they are in force
	// on every proxy, and our cookie is set on h. After an error the page must not
	// say that anything is saved.
	Choose(r *http.Request, h http.Header, set *policy.Set, source consent.Source, decisions []consent.Decision) error
	// Evidence returns the stored events of the person, for the receipt.
	Evidence(r *http.Request) ([]consent.Event, error)
}

// Options make [Pages].
type Options struct {
	// Prefix is the path that the pages are under, such as /privacy/. It begins and
	// ends with a slash.
	Prefix string
	// Policy returns the set in force. It may change from one call to the next.
	Policy   func() *policy.Set
	Consents Consents
	// Languages are those of the pages.
	Languages *words.Languages
	// Key signs the tokens of forms. At least 32 bytes; proxies of one site
	// have the same.
	Key []byte
	// Person returns a name of the person behind a request that is the same on
	// each page, such as a pseudonym, and empty if the person is unknown. It ties
	// a form to the person that it was made for.
	Person func(*http.Request) string
	// Client returns the address that a request came from.
	Client func(*http.Request) string
	// Rate is how many requests a second one person may send in the long run,
	// or one address of which no person is known, and Burst how many at once.
	// Default: 5 and 60.
	Rate  rate.Limit
	Burst int
	// Logger receives errors.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now
	Now func() time.Time
}

// Pages answer the requests under a prefix of a site.
type Pages struct {
	Options

	handler http.Handler
	edition atomic.Pointer[edition]
	limit   *limit.Clients
	cross   http.CrossOriginProtection
}

// maxBody bounds what is read of a form or of a request of the API.
const maxBody = 64 << 10

// New returns the pages.
func New(o Options) (*Pages, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	p := &Pages{Options: o, limit: limit.NewClients(o.Rate, o.Burst, o.Now)}
	mux := http.NewServeMux()
	handle := func(method, path string, h http.HandlerFunc) { mux.HandleFunc(method+" "+o.Prefix+path, h) }
	handle("GET", "{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, p.visit(r).url("choices"), http.StatusSeeOther) //nolint:gosec // G710: nothing of the request but the tag of a language of ours
	})
	handle("GET", "choices", p.choices)
	handle("POST", "choices", p.choose)
	handle("GET", "consents/{purpose}", p.document)
	for _, format := range receiptFormats {
		handle("GET", "receipt"+format.extension, p.receipt)
	}
	handle("GET", apiPath, p.apiChoices)
	handle("POST", apiPath, p.apiChoose)
	handle("GET", "consent-requests.json", p.consentRequests)
	handle("GET", "", p.missing)
	limited := p.limited(mux)
	p.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if r.URL.Path == o.Prefix+styleName && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			serveStyle(w, r)
			return
		}
		limited.ServeHTTP(w, r)
	})
	return p, nil
}

// complete checks the options and sets the defaults.
func (o *Options) complete() error {
	switch {
	case o.Policy == nil || o.Consents == nil:
		return errors.New("the pages need a policy and consents")
	case len(o.Key) < 32:
		return errors.New("the key of the pages has less than 32 bytes")
	}
	if len(o.Prefix) < 3 || !strings.HasPrefix(o.Prefix, "/") || !strings.HasSuffix(o.Prefix, "/") || strings.ContainsAny(o.Prefix, "{}?#% \"<>\\") || strings.Contains(o.Prefix, "//") {
		return errors.New("the prefix of the pages has to be a path that begins and ends with one slash, as /privacy/ does")
	}
	if o.Rate == 0 {
		o.Rate, o.Burst = 5, 60
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// limited bounds how often one client comes. A known person is counted apart from
// their address, which may be that of a whole company: the requests of others there
// must not keep that person from withdrawing.
func (p *Pages) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := p.Person(r)
		if client == "" {
			client = p.Client(r)
		}
		if p.limit.Allow(client) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "10")
		if p.isAPI(r) {
			p.fault(w, http.StatusTooManyRequests, "too many requests from this address or person", nil)
			return
		}
		p.message(w, p.visit(r), http.StatusTooManyRequests, "often")
	})
}

// secure sets the headers that allow only the pages' own content to load, and
// prevent scripts, framing, caching and reading from other origins.
func secure(h http.Header) {
	// img-src is for the site's own icon, which browsers ask for.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY") // clickjacking, in browsers older than frame-ancestors
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: browsers would then send "Origin: null" with our form.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
}

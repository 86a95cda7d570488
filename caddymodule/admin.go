package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(new(adminAPI))
}

// adminAPI answers GET /minimize/status on the admin endpoint.
type adminAPI struct {
	ctx caddy.Context
}

type status struct {
	Policies []policyDetails `json:"policies"`
	// Store is the consent store, or nil if none is configured.
	Store    *storeStatus `json:"store,omitempty"`
	Counters []count      `json:"counters"`
}

type storeStatus struct {
	Engine string `json:"engine"`
	// Error says why the store is not used at the moment; fields that need a
	// consent do not pass until it is empty.
	Error string `json:"error,omitempty"`
}

// policyDetails is a policy in use and what it declares.
type policyDetails struct {
	policyStatus
	Collections []collectionDetails `json:"collections"`
}

type collectionDetails struct {
	Name     string   `json:"name"`
	On       []string `json:"on"`
	Fields   int      `json:"fields"`
	Mode     string   `json:"mode,omitempty"` // empty: that of the site
	Purposes []string `json:"purposes"`
}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.minimize", New: func() caddy.Module { return new(adminAPI) }}
}

// Provision implements [caddy.Provisioner].
func (a *adminAPI) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	return nil
}

// Routes implements [caddy.AdminRouter].
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/minimize/status", Handler: caddy.AdminHandlerFunc(a.status)}}
}

func (a *adminAPI) status(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s: expected GET", r.Method)}
	}
	answer := status{Policies: []policyDetails{}}
	if app, err := a.ctx.AppIfConfigured("minimize"); err == nil {
		for _, p := range app.(*App).inUse() {
			answer.Policies = append(answer.Policies, details(p))
		}
		answer.Store = app.(*App).storeStatus()
	}
	var err error
	if answer.Counters, err = counters.counts(); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// storeStatus returns the status of the consent store, or nil if there is none.
func (a *App) storeStatus() *storeStatus {
	a.mu.Lock()
	store := a.store
	a.mu.Unlock()
	if store == nil {
		return nil
	}
	s := &storeStatus{Engine: a.storeModule.CaddyModule().ID.Name()}
	if err := store.Health(); err != nil {
		s.Error = err.Error()
	}
	return s
}

func details(p *livePolicy) policyDetails {
	d := policyDetails{policyStatus: p.state(), Collections: []collectionDetails{}}
	set := p.Load()
	for _, c := range set.Collections {
		collection := collectionDetails{Name: c.Name, Fields: len(c.Fields), Mode: c.Mode, Purposes: []string{}}
		for _, pattern := range c.Patterns {
			collection.On = append(collection.On, pattern.Text)
		}
		for id := range c.Purposes.All() {
			collection.Purposes = append(collection.Purposes, set.Purposes[id].Name)
		}
		d.Collections = append(d.Collections, collection)
	}
	return d
}

// Interface guards.
var (
	_ caddy.AdminRouter = (*adminAPI)(nil)
	_ caddy.Provisioner = (*adminAPI)(nil)
)

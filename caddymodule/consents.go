package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/regular"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// provisionConsents makes the service that answers for people's consents, and
// the pages on which people give and withdraw them.
func (h *Handler) provisionConsents() error {
	if h.GPC != "" {
		updated, err := gpcDate(h.GPC)
		if err != nil {
			return err
		}
		h.gpc = pages.GPC(updated)
	}
	languages, err := h.app.languages()
	if err != nil {
		return err
	}
	h.language = languages.Matcher()
	if h.app.store == nil {
		if h.Portal != "" || len(h.Subject) > 0 {
			return errors.New("portal and subject need a store: minimize { store sqlite <path> } in the global options")
		}
		h.engine.Consents = &service.Stateless{Words: languages, Now: time.Now}
		return nil
	}
	identify, fields, err := h.subjects()
	if err != nil {
		return err
	}
	h.registry = h.app.store
	h.consents = &service.Service{
		Registry: h.registry.Registry, Keys: h.app.keys, Identify: identify, Fields: fields, Words: languages,
		Limits:  service.NewLimits(clientIP, time.Now),
		Address: h.app.keptAddress(), Now: time.Now, NewID: newEventID,
	}
	h.engine.Consents = h.consents
	for field := range fields {
		if err := h.policy.require(h.app, field); err != nil {
			return err
		}
		h.engine.Identifying = append(h.engine.Identifying, field)
	}
	if h.Portal == "" {
		return nil
	}
	h.pages, err = pages.New(pages.Options{
		Prefix: h.Portal, Policy: h.engine.Policies.Load, Consents: h.consents, Languages: languages, Key: h.app.keys.Form(),
		Person: h.consents.Person, Client: clientIP, Logger: h.log,
	})
	if err != nil {
		return fmt.Errorf("portal: %w", err)
	}
	return nil
}

func gpcDate(text string) (time.Time, error) {
	updated, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return updated, fmt.Errorf("gpc %q: expected a date, such as 2026-11-22", text)
	}
	return updated, nil
}

// keptAddress returns what evidence holds of a client's address; nil if
// nothing.
func (a *App) keptAddress() func(*http.Request) string {
	if a.Evidence == nil {
		return nil
	}
	switch a.Evidence.IP {
	case "truncated":
		return func(r *http.Request) string { return subject.Network(clientIP(r)) }
	case "full":
		return func(r *http.Request) string { return subject.Address(clientIP(r)) }
	}
	return nil
}

// languages returns the languages of the pages, with those that the operator adds.
func (a *App) languages() (*words.Languages, error) {
	if a.Languages == "" {
		return words.Read(nil)
	}
	_, err := os.ReadDir(a.Languages)
	if err != nil {
		return nil, fmt.Errorf("languages: %w", err)
	}
	languages, err := words.Read(regular.Directory(a.Languages, maxNamedFile))
	if err != nil {
		return nil, fmt.Errorf("languages: %w", err)
	}
	return languages, nil
}

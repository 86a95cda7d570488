package caddymodule

import (
	"errors"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// A withdrawal that is not in force on every proxy yet is no fault of the program.
func TestAPIErrorPending(t *testing.T) {
	answer, ok := errors.AsType[caddy.APIError](apiError(consent.ErrPending))
	if !ok || answer.HTTPStatus != http.StatusServiceUnavailable {
		t.Errorf("the status is %d", answer.HTTPStatus)
	}
}

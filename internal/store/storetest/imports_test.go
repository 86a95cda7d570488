package storetest

import (
	"os/exec"
	"strings"
	"testing"
)

// A store depends on the types of consent only: not on the cache, phone
// numbers, translations or telemetry of those who use it.
func TestStoresImportNoService(t *testing.T) {
	forbidden := []string{
		"github.com/dgraph-io/ristretto", "github.com/nicksnyder/go-i18n", "github.com/nyaruka/phonenumbers", "go.opentelemetry.io/",
		"github.com/modicum-proxy/modicum/internal/consent/freshness", "github.com/modicum-proxy/modicum/internal/consent/service",
		"github.com/modicum-proxy/modicum/internal/subject", "github.com/modicum-proxy/modicum/internal/notice",
	}
	for _, store := range []string{"sqlite", "postgres"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../"+store).CombinedOutput() //nolint:gosec // G204: one of two constants
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 50 {
			t.Fatalf("go list reports only %d packages", len(deps))
		}
		for _, dep := range deps {
			for _, name := range forbidden {
				if strings.HasPrefix(dep, name) {
					t.Errorf("store/%s depends on %s", store, dep)
				}
			}
		}
	}
}

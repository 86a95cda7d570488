package operator

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// A person consents by cookie, and an older consent of the address that is
// linked to it reaches its term. The operator withdraws by the address: the
// consent of the cookie must not be overlooked as one that has ended.
func TestWithdrawBesideAnEndedConsent(t *testing.T) {
	d, _ := open(t)
	keep(t, d,
		consent.Event{Subject: cookie, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromForm},
		consent.Event{Subject: cookie, Other: ada, Action: consent.Link, Source: consent.FromForm},
		consent.Event{Subject: ada, Purpose: "newsletter", Action: consent.Expire, Source: consent.FromTerm},
	)
	done, err := d.Withdraw(t.Context(), &Query{Subject: ada, Purpose: "newsletter"})
	if diff := cmp.Diff([]Withdrawal{{ada, "newsletter"}}, done); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

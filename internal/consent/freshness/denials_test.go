package freshness

import (
	"fmt"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

func TestDenials(t *testing.T) {
	now := time.Unix(0, 0)
	d := &denials{now: func() time.Time { return now }}
	she := []consent.Subject{"she", "her e-mail"}
	if d.has("news", she) {
		t.Error("denied before anything happened")
	}
	d.add([]consent.Event{{Subject: "her e-mail", Purpose: "news", Action: consent.Withdraw}, {Subject: "she", Purpose: "gifts", Action: consent.Grant}})
	switch {
	case !d.has("news", she):
		t.Error("a withdrawal that could not be stored by one of two linked subjects is not denied")
	case d.has("gifts", she):
		t.Error("a grant that could not be stored is denied")
	case d.has("news", []consent.Subject{"he"}):
		t.Error("somebody else is denied")
	}
	d.end([]consent.Event{{Subject: "her e-mail", Purpose: "gifts", Action: consent.Withdraw}})
	if !d.has("news", she) {
		t.Error("another purpose ended the denial")
	}
	now = now.Add(denialTime - 1)
	if !d.has("news", she) {
		t.Error("the denial ended before its time")
	}
	now = now.Add(1)
	if d.has("news", she) {
		t.Error("the denial does not end")
	}
	d.add([]consent.Event{{Subject: "she", Purpose: "news", Action: consent.Object}})
	d.end([]consent.Event{{Subject: "she", Purpose: "news", Action: consent.Object}})
	if d.has("news", she) {
		t.Error("it is stored and still denied")
	}
}

// TestDenialsBounded: while the store is down an attacker withdraws under
// ever new cookies, to make us forget whom we deny. Then everybody is denied.
func TestDenialsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	d := &denials{now: func() time.Time { return now }}
	withdraw := func(subject string) {
		d.add([]consent.Event{{Subject: consent.Subject(subject), Purpose: "news", Action: consent.Withdraw}})
	}
	withdraw("victim")
	for i := range maxDenials {
		withdraw(fmt.Sprint(i))
	}
	withdraw("late")
	for _, subject := range []consent.Subject{"victim", "late", "anybody"} {
		if !d.has("news", []consent.Subject{subject}) {
			t.Errorf("%s is not denied", subject)
		}
	}
	if len(d.until) > maxDenials {
		t.Errorf("%d denials are remembered", len(d.until))
	}
	now = now.Add(denialTime)
	if d.has("news", []consent.Subject{"anybody"}) {
		t.Error("everybody is denied for ever")
	}
	withdraw("next")
	if len(d.until) != 1 || !d.has("news", []consent.Subject{"next"}) {
		t.Errorf("%d denials are remembered after their time, want the new one", len(d.until))
	}
}

package record

import (
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// dpvStatus is an event: a status that a consent came to. Only
// dpv:ConsentGiven and dpv:RenewedConsentGiven permit processing.
type dpvStatus struct {
	ID       string       `json:"@id"`
	Type     string       `json:"@type"`
	By       string       `json:"dpv:isIndicatedBy"`
	Method   string       `json:"dpv:hasIndicationMethod,omitempty"`
	Time     string       `json:"dpv:isIndicatedAtTime"`
	Duration *dpvDuration `json:"dpv:hasDuration,omitempty"`
	Right    string       `json:"dpv:hasRight,omitempty"`
	// Notice names the text in the record's own dpv:hasNotice.
	Notice   string           `json:"dpv:hasNotice,omitempty"`
	Action   consent.Action   `json:"modicum:action"`
	Source   consent.Source   `json:"modicum:source,omitempty"`
	NoticeID string           `json:"modicum:notice,omitempty"`
	Policy   string           `json:"modicum:policyVersion,omitempty"`
	Receipt  string           `json:"modicum:receipt,omitempty"`
	Address  string           `json:"modicum:address,omitempty"`
	Subject  consent.Subject  `json:"modicum:subject,omitempty"` // when it is a linked one
	Revision consent.Revision `json:"modicum:revision"`
}

// dpvStatuses returns the statuses of a thread, none of which a later one
// replaces.
func dpvStatuses(t *Thread) []dpvStatus {
	statuses := make([]dpvStatus, 0, len(t.Events))
	given := false
	for i := range t.Events {
		e := &t.Events[i]
		s := dpvStatus{
			ID: e.ID.URN(), Type: dpvStatusType(e.Action, given), By: "dpv:DataSubject", Method: methods[e.Source], Time: stamp(e.Time),
			Action: e.Action, Source: e.Source, NoticeID: e.Notice, Policy: e.Policy, Receipt: e.Receipt, Address: e.Address, Revision: e.Revision,
		}
		switch e.Action {
		case consent.Grant:
			given = true
			s.Duration = dpvTerm(e.Expires)
		case consent.Expire:
			s.By = "dpv:DataController" // nobody else does anything
		case consent.Object:
			s.Right = "eu-gdpr:A21"
		case consent.Refuse, consent.Withdraw, consent.Link:
		}
		if e.Shown != nil {
			s.Notice = digestName(e.Shown.Digest)
		}
		if e.Subject != t.Subject {
			s.Subject = e.Subject
		}
		statuses = append(statuses, s)
	}
	return statuses
}

// dpvStatusType returns the vocabulary's status for an action. A grant after
// an earlier one renews it.
//
// The vocabulary has no status for an objection (GDPR Art. 21). It is no
// refusal, since nobody need have asked, and no withdrawal, since no consent
// need have stood; dpv:ObjectingToProcess says that a person may object, not
// that one did. So it is the status above all these, which says all that
// follows: there is no consent to process on. The right that was exercised
// stands beside it.
func dpvStatusType(action consent.Action, given bool) string {
	switch action {
	case consent.Grant:
		if given {
			return "dpv:RenewedConsentGiven"
		}
		return "dpv:ConsentGiven"
	case consent.Refuse:
		return "dpv:ConsentRefused"
	case consent.Withdraw:
		return "dpv:ConsentWithdrawn"
	case consent.Expire:
		return "dpv:ConsentExpired"
	case consent.Object, consent.Link:
		return "dpv:ConsentStatusInvalidForProcessing"
	}
	return "dpv:ConsentUnknown"
}

// dpvTerm says how long a consent stands.
func dpvTerm(expires time.Time) *dpvDuration {
	if expires.IsZero() {
		return &dpvDuration{Type: "dpv:UntilEventDuration", Value: dpvValue{Value: "withdrawal"}}
	}
	return &dpvDuration{Type: "dpv:UntilTimeDuration", Value: dpvValue{Value: stamp(expires), Type: "xsd:dateTime"}}
}

// methods say in English how a choice was made.
var methods = map[consent.Source]string{
	consent.FromForm:     "a field of a submitted form",
	consent.FromPage:     "the page of choices",
	consent.FromAPI:      "the site's own page, through the consent API",
	consent.FromADPC:     "Advanced Data Protection Control",
	consent.FromOperator: "entered by the controller on the person's behalf",
	consent.FromTerm:     "the term of the consent was reached",
	consent.FromGPC:      "Global Privacy Control",
	consent.FromKlaro:    "the consent manager Klaro!",
	consent.FromCC:       "the consent manager CookieConsent",
	consent.FromFides:    "the consent manager Fides",
	consent.FromCookie:   "the cookie of a consent platform",
	consent.FromTCF:      "an IAB TCF string",
	consent.FromGPP:      "an IAB GPP string",
}

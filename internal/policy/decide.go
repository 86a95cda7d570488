package policy

// Reasons of a [Verdict] that strips a field.
const (
	ReasonNoPurpose = "no_purpose" // no purpose is declared for it
	ReasonNoConsent = "no_consent" // it needs a consent that does not stand
	ReasonObjected  = "objected"   // the person objected to its purpose
)

// Standing is what is known of a person's choices for one request. The zero
// value grants nothing.
type Standing struct {
	Granted  PurposeSet // consents that stand
	Objected PurposeSet // objections, and consents that were refused
}

// Choosable returns those of purposes that a person has a choice about: they
// rest on consent, or can be objected to.
func (s *Set) Choosable(purposes PurposeSet) PurposeSet {
	for i := range purposes {
		purposes[i] &= s.byConsent[i] | s.objection[i]
	}
	return purposes
}

// Verdict says what becomes of a field. The zero value strips it.
type Verdict struct {
	Kept bool
	// Purpose is the one that let the field pass, or the first of its purposes
	// if none did.
	Purpose PurposeID
	// Reason is why the field is stripped; empty when it is kept.
	Reason string
}

// Decide says whether a field passes: any one of its purposes is enough. A
// purpose with a basis other than consent allows unless it is marked
// `objection:` and the person objected; a consent purpose allows when its
// consent stands and the person did not object.
func (c *Collection) Decide(f *Field, s Standing) Verdict {
	if c.set == nil || len(f.Purposes) == 0 {
		return Verdict{Reason: ReasonNoPurpose}
	}
	refused := Verdict{Purpose: f.Purposes[0]}
	for _, id := range f.Purposes {
		reason := c.set.reasonAgainst(id, s)
		if reason == "" {
			return Verdict{Kept: true, Purpose: id}
		}
		if refused.Reason == "" {
			refused.Reason = reason
		}
	}
	return refused
}

// reasonAgainst returns why a purpose does not allow its fields to pass, empty
// if it does.
func (s *Set) reasonAgainst(id PurposeID, standing Standing) string {
	needsConsent := s.byConsent.Has(id)
	if standing.Objected.Has(id) && (needsConsent || s.objection.Has(id)) {
		return ReasonObjected
	}
	if needsConsent && !standing.Granted.Has(id) {
		return ReasonNoConsent
	}
	return ""
}

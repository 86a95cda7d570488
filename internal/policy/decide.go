package policy

// Reasons of a [Verdict] that strips a field.
const (
	ReasonNoPurpose = "no_purpose" // no purpose is declared for the field
	ReasonNoConsent = "no_consent" // it needs a consent that is not in force
	ReasonObjected  = "objected"   // the person objected to its purpose
)

// Standing is a person's choices that are in force for one request. The zero
// value grants nothing.
type Standing struct {
	Granted  PurposeSet // consents in force
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

// Verdict is the decision about a field. The zero value strips it.
type Verdict struct {
	Kept bool
	// Purpose is the one that let the field pass, or the first of its purposes
	// if none did.
	Purpose PurposeID
	// Reason is why the field is stripped; empty when it is kept.
	Reason string
}

// Decide returns whether a field passes: any one of its purposes is enough. A
// purpose with a basis other than consent allows unless it is marked
// `objection:` and the person objected; a consent purpose allows if its consent is
// in force and the person did not object.
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

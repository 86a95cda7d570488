package signal

import (
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// GPP strings (IAB Tech Lab Global Privacy Platform, "Consent String
// Specification"): a header and the sections that it lists, joined by tildes.
const (
	gppType    = 3
	gppVersion = 1

	sectionTCF   = 2 // tcfeuv2
	sectionUSP   = 6 // uspv1
	sectionUSNat = 7 // usnat

	// usNatCore is how many bits the core of a usnat section has at least:
	// those of version 1, up to MspaServiceProviderMode.
	usNatCore = 60
)

// optOuts is a set of opt-outs.
type optOuts uint8

// The kinds of opt-outs.
const (
	sale = iota
	sharing
	advertising
	optOutKinds
)

const everyOptOut = optOuts(1<<optOutKinds - 1)

func optOutNamed(name string) int {
	switch name {
	case policy.OptOutSale:
		return sale
	case policy.OptOutSharing:
		return sharing
	default: // the policy has three
		return advertising
	}
}

// gppString is what a GPP string says.
type gppString struct {
	out     optOuts
	tc      string // the section tcfeuv2
	holdsTC bool
}

// optedOut returns the purposes that opt-outs count against. That a person
// did not opt out is no consent (GDPR recital 32).
func (r *Reader) optedOut(held gppString) said {
	var s said
	for kind := range r.optOuts {
		if held.out>>kind&1 == 1 {
			s.deny(r.optOuts[kind])
		}
	}
	return s
}

// readGPP reads a GPP string. ok is false if the header and the sections do not
// agree, or if a section that we know cannot be read.
func readGPP(text string) (held gppString, ok bool) {
	head, rest, more := strings.Cut(text, "~")
	b := bits{text: head}
	if b.number(6) != gppType || b.number(6) != gppVersion {
		return gppString{}, false
	}
	for id := range b.fibonacciRange {
		if !more {
			return held, false
		}
		var section string
		section, rest, more = strings.Cut(rest, "~")
		if !held.read(id, section) {
			return held, false
		}
	}
	return held, b.ends() && !more
}

func (g *gppString) read(id int, text string) bool {
	ok := true
	switch id {
	case sectionTCF:
		g.tc, g.holdsTC = text, true
	case sectionUSP:
		ok = g.readUSP(text)
	case sectionUSNat:
		ok = g.readUSNat(text)
	}
	return ok
}

// readUSP reads a US Privacy string, such as 1YNN: version, notice, opt-out
// of sale, agreement; Y, N, or - where it does not apply.
func (g *gppString) readUSP(text string) bool {
	if len(text) != 4 || text[0] != '1' || strings.Trim(text[1:], "YN-") != "" {
		return false
	}
	if text[2] == 'Y' {
		g.out |= 1 << sale
	}
	return true
}

// readUSNat reads the opt-outs of a US National section, versions 1 and 2, and
// its Global Privacy Control sub-section.
func (g *gppString) readUSNat(text string) bool {
	core, rest, more := strings.Cut(text, ".")
	b := bits{text: core}
	if version := b.number(6); !isBase64URL(core) || 6*len(core) < usNatCore || version != 1 && version != 2 {
		return false
	}
	b.skip(6 * 2) // six notices
	for kind := range optOutKinds {
		switch b.number(2) {
		case 0, 2: // does not apply, did not opt out
		default:
			g.out |= 1 << kind
		}
	}
	for more && !b.bad {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		sub := bits{text: part}
		if kind := sub.number(2); kind == 1 && sub.bit() == 1 {
			// The browser's signal: do not sell or share, no advertising across sites.
			g.out |= everyOptOut
		}
		if sub.bad || !isBase64URL(part) {
			return false
		}
	}
	return !b.bad
}

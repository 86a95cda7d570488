package signal

import (
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// TC strings (IAB Europe TCF v2, "Consent string and vendor list formats").
const (
	tcVersion = 2
	// tcCore is how many bits the core segment has at least: up to PublisherCC.
	tcCore = 213
	// tcPublisher is the type of the segment with the publisher's own purposes.
	tcPublisher = 3
	maxSegments = 8
)

// publisherTC reads what the person chose about the publisher's own purposes in a
// TC string. Without a PublisherTC segment, it says nothing about them.
func (r *Reader) publisherTC(value string) (said, bool) {
	consents, found, ok := readTC(value)
	var s said
	if !found {
		return s, ok
	}
	for n := 1; n <= policy.MaxTCFPurpose; n++ {
		if consents>>(policy.MaxTCFPurpose-n)&1 == 1 {
			s.grant(r.tcf[n])
		} else {
			s.deny(r.tcf[n])
		}
	}
	return s, ok
}

// readTC returns PubPurposesConsent, purpose 1 in the highest of 24 bits, and
// whether the string has it.
func readTC(text string) (consents uint32, found, ok bool) {
	if strings.Count(text, ".") >= maxSegments {
		return 0, false, false
	}
	first, rest, more := strings.Cut(text, ".")
	core := bits{text: first}
	if !isBase64URL(first) || core.number(6) != tcVersion || 6*len(first) < tcCore {
		return 0, false, false
	}
	for more {
		var segment string
		segment, rest, more = strings.Cut(rest, ".")
		b := bits{text: segment}
		kind := b.number(3)
		if !isBase64URL(segment) || kind == 0 || kind == tcPublisher && found {
			return 0, false, false // a second core, or two that may disagree
		}
		if kind != tcPublisher {
			continue
		}
		found = true
		consents = b.number(policy.MaxTCFPurpose)
		b.skip(policy.MaxTCFPurpose) // PubPurposesLITransparency
		b.skip(2 * int(b.number(6))) // CustomPurposesConsent, CustomPurposesLITransparency
		if !b.ends() {
			return 0, false, false
		}
	}
	return consents, found, true
}

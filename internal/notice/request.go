package notice

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// RequestID identifies the question for a consent where it is asked in all
// languages under one id, as ADPC does: "<purpose>~<22 characters of
// base64url>". A change of the text in any of the policy's languages changes
// it. An objection has none: ADPC names those itself.
func RequestID(set *policy.Set, purpose policy.PurposeID) string {
	var said strings.Builder
	for _, language := range append(Languages(set), "") {
		said.WriteString(language + " " + ForPurpose(set, purpose, language).ID + "\n")
	}
	sum := sha256.Sum256([]byte(said.String()))
	return set.Purposes[purpose].Name + "~" + base64.RawURLEncoding.EncodeToString(sum[:])[:22]
}

// RequestIDs returns the purposes that rest on consent by their [RequestID].
// It hashes every text of the policy: keep the result with the set.
func RequestIDs(set *policy.Set) map[string]policy.PurposeID {
	ids := map[string]policy.PurposeID{}
	for i := range set.Purposes {
		if p := &set.Purposes[i]; p.Basis == policy.Consent {
			ids[RequestID(set, p.ID)] = p.ID
		}
	}
	return ids
}

// Package subject identifies the person that a request is from: identities, their
// pseudonyms, our cookie, the keys of both, and verified tokens.
package subject

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Keys make pseudonyms of identities and sign our cookie. The first key is
// used for new ones; the others are those that it replaced, so that what was made
// with them is still valid.
type Keys struct {
	keys []key
}

// key holds what is derived from one secret, each for its own use.
type key struct {
	id        string // 8 hex digits
	pseudonym *signer
	cookie    *signer
	form      []byte
}

// signer makes HMAC-SHA-256 under one key, again and again in the same
// memory: each submission of somebody we know needs two.
type signer struct{ pool sync.Pool }

// signing is the memory of one signature.
type signing struct {
	mac  hash.Hash
	text []byte
	sum  []byte
}

func newSigner(key []byte) *signer {
	s := &signer{}
	s.pool.New = func() any { return &signing{mac: hmac.New(sha256.New, key)} }
	return s
}

// append appends the first n bytes of the signature of the parts, joined by
// zero bytes, in base64url.
func (s *signer) append(b []byte, n int, parts ...string) []byte {
	g := s.pool.Get().(*signing)
	defer s.pool.Put(g)
	g.mac.Reset()
	g.text = g.text[:0]
	for i, part := range parts {
		if i > 0 {
			g.text = append(g.text, 0)
		}
		g.text = append(g.text, part...)
	}
	_, _ = g.mac.Write(g.text) // it never fails
	g.sum = g.mac.Sum(g.sum[:0])
	return base64.RawURLEncoding.AppendEncode(b, g.sum[:n])
}

// minKey is the least bytes of a secret.
const minKey = 16

// ParseKeys reads secrets, one a line, the current one first. A secret has at
// least 16 bytes; `openssl rand -hex 32` makes one.
func ParseKeys(data []byte) (*Keys, error) {
	k := &Keys{}
	for i, line := range bytes.Split(data, []byte("\n")) {
		secret := bytes.TrimSpace(line)
		if len(secret) == 0 {
			continue
		}
		if len(secret) < minKey {
			return nil, fmt.Errorf("line %d: the key has %d bytes, at least %d are needed: make one with `openssl rand -hex 32`", i+1, len(secret), minKey)
		}
		sum := sha256.Sum256(append([]byte("modicum key id\x00"), secret...))
		one := key{id: hex.EncodeToString(sum[:4])}
		var derived [3][]byte
		for i, use := range []string{"pseudonym", "cookie", "form"} {
			var err error
			if derived[i], err = hkdf.Key(sha256.New, secret, nil, "modicum consent "+use, sha256.Size); err != nil {
				return nil, fmt.Errorf("deriving a key: %w", err)
			}
		}
		one.pseudonym, one.cookie, one.form = newSigner(derived[0]), newSigner(derived[1]), derived[2]
		k.keys = append(k.keys, one)
	}
	if len(k.keys) == 0 {
		return nil, fmt.Errorf("there is no key: make one with `openssl rand -hex 32`")
	}
	return k, nil
}

// Check returns an error if the latest event of a store was made under a key
// that is not among these: stored pseudonyms could no longer be matched, and
// data would pass in spite of objections.
func (k *Keys) Check(ctx context.Context, store consent.Store) error {
	rec, err := store.Load(ctx, "nobody")
	if err != nil {
		return consent.Unavailable(err)
	}
	latest, err := store.Events(ctx, "", rec.Revision-1, 1)
	if err != nil {
		return consent.Unavailable(err)
	}
	if len(latest) == 0 {
		return nil
	}
	id, _, _ := strings.Cut(string(latest[0].Subject), ".")
	if k.byID(id) == nil {
		return fmt.Errorf("the store was last written with the key %s, which is not among those of consent_key: put it on a line behind the new one, or nobody is known any more", id)
	}
	return nil
}

// Form returns the key that signs the tokens of our forms.
func (k *Keys) Form() []byte { return k.keys[0].form }

// byID returns a key, or nil.
func (k *Keys) byID(id string) *key {
	for i := range k.keys {
		if k.keys[i].id == id {
			return &k.keys[i]
		}
	}
	return nil
}

// Kind is a kind of identity. Two kinds with one value are two identities.
type Kind string

// The kinds.
const (
	ByCookie Kind = "cookie" // the random id of our cookie
	ByUser   Kind = "user"   // who a login says that it is, in its realm
	ByEmail  Kind = "email"
	ByPhone  Kind = "phone"
)

// Identity identifies a person. Its value never leaves the process; the store
// has its pseudonym.
type Identity struct {
	Kind  Kind   `json:"kind"`
	Value string `json:"value"`
	// Realm is the namespace of the Value of [ByUser]: the issuer of tokens, a
	// site, or the operator's name for a login that several sites share. The same
	// name in two realms is two persons. Empty for all other kinds.
	Realm string `json:"realm,omitempty"`
}

// Subjects returns the pseudonyms of an identity, that under the current key
// first.
func (k *Keys) Subjects(id Identity) []consent.Subject {
	subjects := make([]consent.Subject, len(k.keys))
	for i := range k.keys {
		subjects[i] = k.keys[i].subject(id)
	}
	return subjects
}

func (k *key) subject(id Identity) consent.Subject {
	var buf [64]byte
	b := append(append(buf[:0], k.id...), '.')
	if id.Kind != ByUser {
		return consent.Subject(k.pseudonym.append(b, sha256.Size, string(id.Kind), id.Value))
	}
	// The length keeps a realm that contains a zero byte distinct.
	return consent.Subject(k.pseudonym.append(b, sha256.Size, string(id.Kind), strconv.Itoa(len(id.Realm)), id.Realm, id.Value))
}

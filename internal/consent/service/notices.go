package service

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// notices are the current texts of a policy set: a consent to any other is
// outdated.
type notices struct {
	set     *policy.Set
	ids     []map[string]bool // by purpose
	match   func(accept string) *words.Language
	signals *signal.Reader
}

// noticeCache keeps the notices of the set that is in force.
type noticeCache struct{ latest atomic.Pointer[notices] }

// of returns the notices of a set in the languages of a site.
func (c *noticeCache) of(set *policy.Set, all *words.Languages) *notices {
	if n := c.latest.Load(); n != nil && n.set == set {
		return n
	}
	languages := notice.Languages(set)
	n := &notices{
		set: set, ids: make([]map[string]bool, len(set.Purposes)), match: all.Of(languages).Matcher(),
		signals: signal.NewReader(set, notice.RequestIDs(set)),
	}
	for i := range set.Purposes {
		n.ids[i] = map[string]bool{notice.ForPurpose(set, set.Purposes[i].ID, "").ID: true}
		for _, l := range languages {
			n.ids[i][notice.ForPurpose(set, set.Purposes[i].ID, l).ID] = true
		}
	}
	c.latest.Store(n)
	return n
}

func (s *Service) noticesOf(set *policy.Set) *notices { return s.notices.of(set, s.Words) }

// choice returns what the latest choice about a purpose comes to. What the
// browser says with the request counts now, whether it could be stored or not.
func (n *notices) choice(id policy.PurposeID, latest consent.State, said *signal.Signals, now time.Time) consent.Choice {
	purpose := n.set.Purposes[id].Name
	switch {
	case said.ADPC.Objected.Has(id):
		assume(&latest, purpose, consent.Object, consent.FromADPC)
	case said.ADPC.Withdrawn.Has(id):
		assume(&latest, purpose, consent.Withdraw, consent.FromADPC)
	}
	var told [8]consent.Signal
	c := consent.Choice{Purpose: purpose, Latest: latest}
	c.Status, c.Source = consent.Decide(latest, consent.AppendSignals(told[:0], said, id), now, func(notice string) bool { return n.has(id, notice) })
	return c
}

func (n *notices) has(id policy.PurposeID, notice string) bool { return n.ids[id][notice] }

// noticeFor returns the notice of a purpose in the language of a request, and its
// text. The text makes no declaration in the person's name: we do not see what the
// site's own form or the browser displayed with it.
func (n *notices) noticeFor(r *http.Request, id policy.PurposeID) (*notice.Consent, *consent.Shown) {
	in := n.match(r.Header.Get("Accept-Language"))
	told := notice.ForPurpose(n.set, id, in.Tag)
	wording := told.Wording(in)
	wording.Declaration = ""
	return told, consent.NewShown(in.Tag, wording.String())
}

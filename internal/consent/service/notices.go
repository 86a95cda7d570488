package service

import (
	"net/http"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// notices are what a policy set tells people today: a consent to anything
// else is outdated.
type notices struct {
	set     *policy.Set
	ids     []map[string]bool // by purpose
	match   func(accept string) *words.Language
	signals *signal.Reader
}

// noticesOf returns the notices of a set, made once for each.
func (s *Service) noticesOf(set *policy.Set) *notices {
	if n := s.notices.Load(); n != nil && n.set == set {
		return n
	}
	languages := notice.Languages(set)
	n := &notices{
		set: set, ids: make([]map[string]bool, len(set.Purposes)), match: s.Words.Of(languages).Matcher(),
		signals: signal.NewReader(set, notice.RequestIDs(set)),
	}
	for i := range set.Purposes {
		n.ids[i] = map[string]bool{notice.ForPurpose(set, set.Purposes[i].ID, "").ID: true}
		for _, l := range languages {
			n.ids[i][notice.ForPurpose(set, set.Purposes[i].ID, l).ID] = true
		}
	}
	s.notices.Store(n)
	return n
}

func (n *notices) has(id policy.PurposeID, notice string) bool { return n.ids[id][notice] }

// tell returns the notice of a purpose in the language of whoever sent a
// request, and the text of it. What the site's own form, or the browser, said
// beside it we do not see: the text declares nothing in the person's name.
func (n *notices) tell(r *http.Request, id policy.PurposeID) (*notice.Consent, *consent.Shown) {
	in := n.match(r.Header.Get("Accept-Language"))
	told := notice.ForPurpose(n.set, id, in.Tag)
	wording := told.Wording(in)
	wording.Declaration = ""
	return told, consent.NewShown(in.Tag, wording.String())
}

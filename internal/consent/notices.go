package consent

import (
	"net/http"

	"golang.org/x/text/language"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// notices are what a policy set tells people today: a consent to anything
// else is outdated.
type notices struct {
	set       *policy.Set
	ids       []map[string]bool // by purpose
	languages []string
	matcher   language.Matcher
	signals   *signal.Reader
}

func (n *notices) has(id policy.PurposeID, notice string) bool { return n.ids[id][notice] }

// language returns that of the policy's languages which a browser asks for.
func (n *notices) language(r *http.Request) string {
	_, i := language.MatchStrings(n.matcher, r.Header.Get("Accept-Language"))
	return n.languages[i]
}

// noticesOf returns the notices of a set, made once for each.
func (s *Service) noticesOf(set *policy.Set) *notices {
	if n := s.notices.Load(); n != nil && n.set == set {
		return n
	}
	n := &notices{set: set, ids: make([]map[string]bool, len(set.Purposes)), languages: notice.Languages(set)}
	if len(n.languages) == 0 {
		n.languages = []string{"en"}
	}
	tags := make([]language.Tag, len(n.languages))
	for i, l := range n.languages {
		tags[i] = language.Make(l)
	}
	n.matcher = language.NewMatcher(tags)
	for i := range set.Purposes {
		n.ids[i] = map[string]bool{notice.ForPurpose(set, set.Purposes[i].ID, "").ID: true}
		for _, l := range n.languages {
			n.ids[i][notice.ForPurpose(set, set.Purposes[i].ID, l).ID] = true
		}
	}
	n.signals = signal.NewReader(set, notice.RequestIDs(set))
	s.notices.Store(n)
	return n
}

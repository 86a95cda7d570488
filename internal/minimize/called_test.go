package minimize

import (
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// The page of a refusal calls a field what people call it; the log has its name.
func TestRefusalCallsAFieldByItsLabel(t *testing.T) {
	c := &policy.Collection{Fields: []policy.Field{{Name: "slot_17", Label: policy.Text{"en": "Time of delivery", "ru": "Время доставки"}}, {Name: "email"}}}
	refusal := missing(c, []int{0}, make([]submission.Outcome, 2), false)
	if refusal == nil || refusal.Field != "slot_17" || !strings.Contains(refusal.Detail, "the field Time of delivery is required") {
		t.Errorf("refused by %+v", refusal)
	}
	if refusal := missing(c, []int{1}, make([]submission.Outcome, 2), false); !strings.Contains(refusal.Detail, "the field email is required") {
		t.Errorf("refused by %+v", refusal)
	}
}

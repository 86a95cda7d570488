//go:build unix

package proxies_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// visitor is a person with a browser, who chooses, and whose forms are sent
// at the same time. Each request goes to any of the proxies.
type visitor struct {
	*trial
	address string
	linear  bool // the history has to be linearizable

	mu      sync.Mutex
	cookie  string // the latest
	first   string // with the revision of the first choice
	history []porcupine.Operation
	// withdrawal numbers the withdrawal that was answered last, while nothing
	// was granted since; 0: there is none.
	withdrawal int
	// denied are the proxies that could not store a withdrawal, and refuse
	// since.
	denied map[*proxy]bool
	made   atomic.Int64 // decisions
}

// The rounds of a visitor, and how many decisions are made in each half.
const (
	rounds    = 10
	decisions = 20
)

// visit lives one life: grants and withdraws until it is over, while forms
// are sent.
func (v *visitor) visit() {
	stop := make(chan struct{})
	var forms sync.WaitGroup
	for range 2 {
		forms.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					v.decide()
				}
			}
		})
	}
	for i := range rounds {
		if !v.choose("allow") {
			break
		}
		v.await(decisions)
		again := v.withdraw(i + 1)
		v.await(decisions)
		if again || v.over() {
			break
		}
	}
	close(stop)
	forms.Wait()
	v.judge()
}

// await waits until more decisions were made.
func (v *visitor) await(n int64) {
	until := v.made.Load() + n
	for end := time.Now().Add(5 * time.Second); v.made.Load() < until && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// withdraw withdraws until it is answered. It reports whether that took more
// than one attempt.
func (v *visitor) withdraw(number int) (again bool) {
	call := v.now()
	for !v.try("refuse") {
		if again = true; v.late() {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.record(access{write: true, granted: false}, nil, call, forever)
			return again
		}
		time.Sleep(50 * time.Millisecond)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.withdrawal = number
	v.withdrawals.Add(1)
	v.record(access{write: true, granted: false}, nil, call, v.now())
	return again
}

// choose grants. When it is not known whether that was stored, the visitor
// is told so and goes.
func (v *visitor) choose(choice string) bool {
	v.mu.Lock()
	v.withdrawal = 0
	v.mu.Unlock()
	call := v.now()
	ok := v.try(choice)
	ret := v.now()
	if !ok {
		ret = forever
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.record(access{write: true, granted: true}, nil, call, ret)
	return ok
}

// try makes one choice at one proxy.
func (v *visitor) try(choice string) bool {
	p := v.anyProxy()
	body := fmt.Sprintf(`{"language":"en","choices":[{"purpose":"newsletter","choice":%q,"notice":%q}]}`, choice, v.cluster.notice)
	start := time.Now()
	res, err := v.send(p, "/privacy/api/choices", "application/json", body)
	switch {
	case err != nil:
		v.lost.Add(1)
		return false
	case res.status != http.StatusNoContent:
		if res.status != http.StatusServiceUnavailable {
			v.t.Errorf("a choice was answered %d: %s", res.status, res.body)
		}
		v.refused.Add(1)
		if choice == "refuse" {
			v.mu.Lock()
			v.denied[p] = true
			v.mu.Unlock()
		}
		return false
	}
	if choice == "refuse" {
		v.took.add(time.Since(start))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.denied, p)
	for _, c := range res.cookies {
		v.cookie = c.Name + "=" + c.Value
		if v.first == "" {
			v.first = v.cookie
		}
	}
	return true
}

// decide sends a form.
func (v *visitor) decide() {
	p := v.anyProxy()
	v.mu.Lock()
	withdrawal, denied := v.withdrawal, v.denied[p]
	v.mu.Unlock()
	call := v.now()
	res, err := v.send(p, "/checkout", "application/x-www-form-urlencoded", submission)
	ret := v.now()
	v.made.Add(1)
	if err != nil || res.status != http.StatusOK {
		if v.failed.Add(1) == 1 {
			v.t.Logf("a form was answered %d, %v", res.status, err)
		}
		return
	}
	v.decisions.Add(1)
	known, used := strings.Contains(res.body, "screen"), strings.Contains(res.body, "birthday")
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case used && withdrawal != 0 && withdrawal == v.withdrawal:
		v.violate("a decision used a consent whose withdrawal had been answered before it began")
	case used && !known:
		v.violate("a decision used a consent that was not known")
	case used && denied && v.denied[p]:
		v.violate("a proxy used a consent whose withdrawal it could not store")
	}
	switch {
	case !known:
		v.unknown.Add(1)
	case used || !denied && !v.denied[p]:
		v.record(access{}, used, call, ret)
	}
}

func (v *visitor) anyProxy() *proxy { return v.cluster.proxies[upTo(len(v.cluster.proxies))] }

// answered is what a browser keeps of an answer.
type answered struct {
	status  int
	body    string
	cookies []*http.Cookie
}

// send sends a request as a browser does.
func (v *visitor) send(p *proxy, path, contentType, body string) (answered, error) {
	r, err := http.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader(body)) //nolint:noctx // the client has a timeout
	if err != nil {
		return answered{}, err
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-Forwarded-For", v.address) // pages are limited for each address
	r.Header.Set("Cookie", v.anyCookie())
	res, err := p.client.Do(r)
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(res.Body)
	return answered{res.StatusCode, string(text), res.Cookies()}, err
}

// anyCookie returns the latest cookie or the first: a proxy must not need the
// revision of the latest to notice a withdrawal.
func (v *visitor) anyCookie() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if upTo(2) == 0 {
		return v.first
	}
	return v.cookie
}

// access is the input of an operation on what porcupine takes for a register.
type access struct{ write, granted bool }

const forever = 1 << 62

func (v *visitor) record(in access, out any, call, ret int64) {
	v.history = append(v.history, porcupine.Operation{Input: in, Output: out, Call: call, Return: ret})
}

var choices = porcupine.Model{
	Init: func() any { return false },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(access); in.write {
			return true, in.granted
		}
		return output == state, state
	},
}

// judge judges the history of a life.
func (v *visitor) judge() {
	if !v.linear {
		return
	}
	switch porcupine.CheckOperationsTimeout(choices, v.history, 10*time.Second) {
	case porcupine.Ok:
		v.linearizable.Add(1)
	case porcupine.Unknown:
		v.undecided.Add(1)
	case porcupine.Illegal:
		var text strings.Builder
		for _, op := range v.history {
			fmt.Fprintf(&text, "\n  %d … %d %+v %v", op.Call, op.Return, op.Input, op.Output)
		}
		v.violate("a history is not linearizable:" + text.String())
	}
}

package bypass

import "testing"

// JSON can contain routes that no Caddyfile results in.
func TestFind(t *testing.T) {
	const app = `{"handler":"reverse_proxy","upstreams":[{"dial":"app:3000"}]}`
	const behind = `{"match":[{"host":["shop.example"]}],"terminal":true,"handle":[{"handler":"minimize"},` + app + `]}`
	for name, test := range map[string]struct {
		routes string
		want   int
	}{
		"other handlers":            {`{"handle":[{"handler":"other","routes":"none","upstreams":7},{"nothing":1},` + app + `]}`, 1},
		"a matcher that is empty":   {`{"match":[{}],"handle":[{"handler":"minimize"}]},{"handle":[` + app + `]}`, 0},
		"a matcher in other spaces": {`{"match":[{"path":["/a"],"method":["GET"]}],"handle":[{"handler":"minimize"}]},{"match":[{ "method": [ "GET" ], "path": ["/a"] }],"handle":[` + app + `]}`, 0},
		"a terminal route": {`{"group":"g","match":[{"path":["/a"]}],"terminal":true,"handle":[{"handler":"static_response"}]},` +
			`{"group":"g","handle":[{"handler":"minimize"}]},{"handle":[` + app + `]}`, 0},
		"errors of a subroute":             {`{"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"minimize"}]}],"errors":{"routes":[{"handle":[` + app + `]}]}}]}`, 1},
		"errors of one that was minimized": {`{"handle":[{"handler":"minimize"},{"handler":"subroute","errors":{"routes":[{"handle":[` + app + `]}]}}]}`, 0},
		"routes that invoke each other":    {`{"handle":[{"handler":"invoke","name":"again"},` + app + `]}`, 1},
		"a route that is not there":        {`{"handle":[{"handler":"invoke","name":"nowhere"},` + app + `]}`, 1},
	} {
		http := `{"servers":{"none":null,"srv0":{"routes":[` + behind + "," + test.routes + `],"named_routes":{"none":null,"again":{"handle":[{"handler":"invoke","name":"again"}]}}}}}`
		for _, config := range []string{http, `{"admin":{"disabled":true},"apps":{"http":` + http + `}}`} {
			if got, err := Find([]byte(config)); err != nil || len(got) != test.want {
				t.Errorf("%s: found %q, %v, want %d", name, got, err, test.want)
			}
		}
	}
	for _, config := range []string{"", "{", "[]", `{"servers":{"srv0":{"routes":{}}}}`} {
		if got, err := Find([]byte(config)); err == nil {
			t.Errorf("%s: found %q and no error", config, got)
		}
	}
	for _, config := range []string{"{}", "null", `{"apps":{}}`} {
		if got, err := Find([]byte(config)); err != nil || len(got) > 0 {
			t.Errorf("%s: found %q, %v", config, got, err)
		}
	}
}

// There are several notations for one upstream.
func TestUpstreamKey(t *testing.T) {
	keys := map[string]string{}
	for _, same := range [][]string{
		{"app:3000", "APP:3000", "tcp/app:3000", "tcp4/App.:3000"},
		{"localhost:3000", "127.0.0.1:3000", ":3000", "[::1]:3000", "tcp6/[::1]:3000", "[0:0::1]:3000", "[::ffff:127.0.0.1]:3000", "0.0.0.0:3000"},
		{"app:3001"},
		{"192.0.2.1:3000", "[::ffff:192.0.2.1]:3000"},
		{"udp/app:3000"},
		{"unix//run/app.sock", "unix+h2c//run/app.sock", "unix//run//app.sock"},
		{"unix//run/App.sock"},
		{"{env.APP}"},
		{"{env.App}"},
	} {
		key := upstreamKey(same[0])
		for _, spelling := range same {
			if got := upstreamKey(spelling); got != key {
				t.Errorf("%s has the key %q, %s has %q", spelling, got, same[0], key)
			}
		}
		if other, ok := keys[key]; ok {
			t.Errorf("%s and %s have the key %q", other, same[0], key)
		}
		keys[key] = same[0]
	}
}

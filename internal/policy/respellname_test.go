package policy

import "testing"

func TestRespellName(t *testing.T) {
	for written, want := range map[string]string{
		"$.user.email":            "user.email",
		"$.items[*].sku":          "items.*.sku",
		"$.items.*.sku":           "items.*.sku",
		"$['user']['email']":      "user.email",
		`$["user"].email`:         "user.email",
		`$['a.b'].c`:              `a\.b.c`,
		".user.email":             "user.email",
		".items[].sku":            "items.*.sku",
		"user.":                   "",
		"user['email']":           "user.email",
		"items[*]":                "items.*",
		"$items[0].sku":           "",
		"items[*].sku":            "items.*.sku",
		"/user/email":             "user.email",
		"/email":                  "email",
		"#/user/email":            "user.email",
		"/items/*/sku":            "items.*.sku",
		"/items/-":                "items.*",
		"/items/0/sku":            "items.0.sku",
		"/a~1b/c~0d":              "a/b.c~d",
		"/a.b":                    `a\.b`,
		"//user":                  "user",
		"user->email":             "user.email",
		"$user->address->city":    "user.address.city",
		"data->>'email'":          "data.email",
		"user -> email":           "user.email",
		"items.#.sku":             "items.*.sku",
		"“email”":                 "email",
		"„email“":                 "email",
		"«email»":                 "email",
		"‘user.email’":            "user.email",
		`"email"`:                 "email",
		"'email'":                 "email",
		"`email`":                 "email",
		"“$.user.email”":          "user.email",
		"$..email":                "email",
		"$[0].sku":                "*.sku",
		"tags[]":                  "",
		"items[0].sku":            "",
		"user[email]":             "",
		"":                        "",
		"/":                       "",
		"#/":                      "",
		"$":                       "",
		"ctl00$Main$Email":        "",
		"a/b":                     "",
		"form:email":              "",
		"form:email/x":            "",
		"$ACTION_KEY":             "",
		"$ACTION_1:0":             "",
		"$type":                   "",
		"$set.email":              "",
		"#text":                   "",
		"@odata\\.type":           "",
		"@id":                     "",
		"What’s your name":        "",
		"Wie heißt „Er“":          "",
		"“A” or “B”":              "",
		"5″":                      "",
		"“":                       "",
		"“”":                      "",
		"->x":                     "",
		"a->":                     "",
		"a-b":                     "",
		"a--b":                    "",
		"x>y":                     "",
		"*.sku":                   "",
		"items.*.sku":             "",
		"user.#hash":              "",
		"wpforms.fields.1":        "",
		"~user":                   "",
		"?q":                      "",
		"address.**":              "",
		"p[price]->x":             "",
		"javax.faces.ViewState":   "",
		`javax\.faces\.ViewState`: "",
		"__RequestVerification":   "",
		"com$example.a:b/c#d@e!":  "",
		"Имя и фамилия, «краткое»": "",
	} {
		if right, why := respellName(written); right != want || (right == "") != (why == "") {
			t.Errorf("%q became %q, since %s; want %q", written, right, why, want)
		}
	}
}

func FuzzRespellName(f *testing.F) {
	f.Add("$.items[*].sku")
	f.Fuzz(func(t *testing.T, written string) {
		right, _ := respellName(written)
		if right == "" {
			return
		}
		if _, err := ParsePath(right); err != nil {
			t.Errorf("%q became %q: %v", written, right, err)
		}
	})
}

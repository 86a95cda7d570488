package signal

import (
	"strings"
	"testing"
)

const (
	saleOut    = optOuts(1 << sale)
	sharingOut = optOuts(1 << sharing)
	adsOut     = optOuts(1 << advertising)

	// specTC is the section tcfeuv2 of the examples of the GPP specification.
	specTC = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"
)

// gppCases hold GPP strings, and what they say.
var gppCases = []struct {
	what, text string
	ok         bool
	tc         string
	out        optOuts
}{
	// IAB Tech Lab, Global Privacy Platform, Core/Consent String Specification:
	// header and string examples 1 to 3. Example 3 has tcfcav1, which we pass over.
	{"example 1", "DBABMA~" + specTC, true, specTC, 0},
	{"header example 1, padded less", "DBABM~" + specTC, true, specTC, 0},
	{"example 2", "DBACNYA~" + specTC + "~1YNN", true, specTC, 0},
	{"header example 2, padded less", "DBACNY~" + specTC + "~1YNN", true, specTC, 0},
	{"example 3", "DBABjw~" + specTC + "~1YNN", true, "", 0},
	// IABTechLab/iabgpp-java, GppModelTest and UspV1Test.
	{"no section", "DBAA", true, "", 0},
	{"uspv1", "DBABTA~1YNN", true, "", 0},
	{"uspv1, undefined", "DBABTA~1---", true, "", 0},
	{"uspv1, sale", "DBABTA~1NYN", true, "", saleOut},
	{
		"all sections", "DBACOdM~CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA~BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAA~1---~BAAAAAAAABA.QA" +
			"~BAAAAABA.QA~BAAAABA~BAAAAEA.QA~BAAAAAQA~BAAAAAEA.QA~BAAAAABA~BAAAAABA.QA~BAAAAAABAA.QA~BAAAAAQA.QA~BAAAAAABAA.QA~BAAAAAQA.QA~BAAAAAQA.QA~BAAAAABA.QA~BAAAAAAAQA.QA~BAAAAAQA.QA",
		true, "CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA", 0,
	},
	// IABTechLab/iabgpp-java, UsNatTest, under a header with section 7.
	{"usnat, defaults", "DBABLA~BAAAAAAAAQA.QA", true, "", 0},
	{"usnat, without the sub-section", "DBABLA~BAAAAAAAAQA", true, "", 0},
	{"usnat, all opted out", "DBABLA~BVVVkkkklWA.YA", true, "", everyOptOut},
	{"usnat, all opted out, without the sub-section", "DBABLA~BVVVkkkklWA", true, "", everyOptOut},
	// Ours. The opt-outs are the fourth character: sale, sharing, advertising.
	{"usnat, sale", "DBABLA~BVVQAAAAAAA", true, "", saleOut},
	{"usnat, sharing", "DBABLA~BVVEAAAAAAA", true, "", sharingOut},
	{"usnat, advertising", "DBABLA~BVVBAAAAAAA", true, "", adsOut},
	{"usnat, did not opt out", "DBABLA~BVVqAAAAAAA.QA", true, "", 0},
	{"usnat, a value of no meaning", "DBABLA~BVVwAAAAAAA", true, "", saleOut},
	{"usnat, Global Privacy Control", "DBABLA~BVVqAAAAAAA.YA", true, "", everyOptOut},
	{"usnat, Global Privacy Control after another", "DBABLA~BVVqAAAAAAA.gA.YA", true, "", everyOptOut},
	{"usnat, version 2", "DBABLA~CVVQAAAAAAAA.QA", true, "", saleOut},
	{"uspv1 and usnat", "DBABzw~1NYN~BVVEAAAAAAA", true, "", saleOut | sharingOut},

	{"empty", "", false, "", 0},
	{"garbage", "invalid gpp string", false, "", 0},
	{"z", "z", false, "", 0},
	{"another type", "CBABTA~1NYN", false, "", 0},
	{"another version", "DCABTA~1NYN", false, "", 0},
	{"a header cut off", "DBAB~1NYN", false, "", 0},
	{"no section after the header", "DBABTA", false, "", 0},
	{"a section too many", "DBABTA~1NYN~1NYN", false, "", saleOut},
	{"a section too few", "DBACNYA~" + specTC, false, specTC, 0},
	{"a header with more than it says", "DBABTAAAAAAA~1NYN", false, "", saleOut},
	{"more sections than there are", "DBABj_~x", false, "", 0},
	{"a group of thousands", gppHeader([2]int{8, 4000}) + strings.Repeat("~", 3993), true, "", 0},
	{"a group of one more", gppHeader([2]int{8, 4000}) + strings.Repeat("~", 3992), false, "", 0},
	{"thousands of groups", gppHeader(thousands()...) + strings.Repeat("~", 2*4095), true, "", 0},
	{"a group of half a million", gppHeader([2]int{8, 40_000}, [2]int{50_000, 90_000}) + "~x", false, "", 0},
	{"a number without end", "DBAB" + strings.Repeat("A", 1000) + "~x", false, "", 0},
	{"uspv1, another version", "DBABTA~2NYN", false, "", 0},
	{"uspv1, in small letters", "DBABTA~1nyn", false, "", 0},
	{"uspv1, too long", "DBABTA~1NYNN", false, "", 0},
	{"usnat, version 3", "DBABLA~DVVQAAAAAAA", false, "", 0},
	{"usnat, cut off", "DBABLA~BVVQAAA", false, "", 0},
	{"usnat, another alphabet", "DBABLA~BVVQAAAAAA+", false, "", 0},
	{"usnat, an empty sub-section", "DBABLA~BVVQAAAAAAA.", false, "", saleOut},
	{"usnat, a sub-section of another alphabet", "DBABLA~BVVQAAAAAAA.Q=", false, "", saleOut},
}

func TestGPP(t *testing.T) {
	for _, c := range gppCases {
		got, ok := readGPP(c.text)
		if ok != c.ok || got.out != c.out || got.tc != c.tc || got.holdsTC != (c.tc != "") {
			t.Errorf("%s: %+v, readable %v", c.what, got, ok)
		}
	}
}

func TestGPPOfARequest(t *testing.T) {
	r := newReader(t)
	for _, c := range []struct{ what, cookies, want string }{
		{"no opt-out is no consent", "__gpp=DBABTA~1YNN", ""},
		{"sale, uspv1", "__gpp=DBABTA~1NYN", "-partners"},
		{"sale, usnat", "__gpp=DBABLA~BVVQAAAAAAA", "-partners"},
		{"sharing", "__gpp=DBABLA~BVVEAAAAAAA", "-shared"},
		{"advertising", "__gpp=DBABLA~BVVBAAAAAAA", "-ads"},
		{"Global Privacy Control", "__gpp=DBABLA~BVVqAAAAAAA.YA", "-ads -partners -shared"},
		{"copies add up", "__gpp=DBABTA~1NYN; __gpp=DBABLA~BVVEAAAAAAA", "-partners -shared"},
		{"a copy does not lift", "__gpp=DBABTA~1NYN; __gpp=DBABTA~1NNN", "-partners"},
		{"it cannot be read", "__gpp=garbage", "-ads -partners -shared"},
		{"a later version", "__gpp=DCABTA~1NNN", "-ads -partners -shared"},
		{"too long", "__gpp=DBABTA~1NNN" + strings.Repeat("A", maxCookie), "-ads -partners -shared"},
	} {
		s := r.Read(map[string][]string{"Cookie": {c.cookies}})
		if got := heard(r, &s, GPP); sorted(got) != sorted(c.want) {
			t.Errorf("%s: %q, not %q", c.what, got, c.want)
		}
	}
}

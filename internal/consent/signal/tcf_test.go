package signal

import (
	"strings"
	"testing"
)

const (
	// core is of the TCF specification, "How does a URL-based service process
	// the TC string".
	core      = "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"
	disclosed = "IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw"

	first  = uint32(1) << 23 // purpose 1 of PubPurposesConsent
	fourth = uint32(1) << 20
)

// tcCases hold TC strings, and whether they are readable, speak of the
// publisher's purposes, and what they say of them.
var tcCases = []struct {
	what, text string
	ok, found  bool
	consents   uint32
}{
	{"the specification's core", core, true, false, 0},
	{"the specification's example", core + "." + disclosed, true, false, 0},
	// IABTechLab/iabgpp-java, TcfEuV2Test: testEncode1, testEncode2, testDecode3.
	{"defaults, global", "CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA", true, false, 0},
	{"defaults, service-specific", "CPSG_8APSG_8AAAAAAENAACgAAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAAA", true, true, 0},
	{
		"three segments", "CPcqBNJPcqBNJNwAAAENAwCAAAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAA." +
			"QGLtV_T9fb2vj-_Z99_tkeYwf95y3p-wzhheMs-8NyZeH_B4Wv2MyvBX4JiQKGRgksjLBAQdtHGlcTQgBwIlViTLMYk2MjzNKJrJEilsbO2dYGD9Pn8HT3ZCY70-vv__7v3ff_3g." +
			"IGLtV_T9fb2vj-_Z99_tkeYwf95y3p-wzhheMs-8NyZeH_B4Wv2MyvBX4JiQKGRgksjLBAQdtHGlcTQgBwIlViTLMYk2MjzNKJrJEilsbO2dYGD9Pn8HT3ZCY70-vv__7v3ff_3g",
		true, true, 0,
	},
	// InteractiveAdvertisingBureau/iabtcf-java, TCStringV2Test, and
	// dynata/iab-tcf-php, DecoderTest: consent to 1, legitimate interest of 24,
	// two custom purposes.
	{"publisher's purposes", "COrEAV4OrXx94ACABBENAHCIAD-AAAAAAACAAxAAAAgAIAwgAgAAAAEAgQAAAAAEAYQAQAAAACAAAABAAA.cAAAAAAAITg", true, true, first},
	{
		"all parts", "COtybn4PA_zT4KjACBENAPCIAD-AAECAAIAAAxAAAAgAIAwgAgAAAAEAgQAAAAAEAYQAQAAAACAAAABACBQAYAAgAEEgBAABAAQA." +
			"IBAgAAAgAIAwgAgAAAAEAAAACA.Qu4QBQAGAAXABLAC8AMAu4A.cAAAAAAAITg", true, true, first,
	},
	// Ours: 011 000100… = segment 3, consent to 4.
	{"consent to 4", core + ".YgAAAAAAAAA", true, true, fourth},
	{"consent to all", core + ".f____AAAAAAA", true, true, 1<<24 - 1},
	{"a segment of a later version", core + ".gAAA.YgAAAAAAAAA", true, true, fourth},

	{"empty", "", false, false, 0},
	{"version 1", "BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", false, false, 0},
	{"version 3", "D" + core[1:], false, false, 0},
	{"a core cut off", core[:35], false, false, 0},
	{"another alphabet", strings.Replace(core, "A", "+", 1) + ".YgAAAAAAAAA", false, false, 0},
	{"padding", core + ".YgAAAAAAAAA=", false, false, 0},
	{"no segment after the dot", core + ".", false, false, 0},
	{"only segments", ".YgAAAAAAAAA", false, false, 0},
	{"a second core", core + "." + core, false, false, 0},
	{"two that disagree", core + ".YgAAAAAAAAA.YAAAAAAAAAA", false, false, 0},
	{"cut off", core + ".YgAA", false, false, 0},
	{"custom purposes cut off", core + ".YgAAAAAAAH4", false, false, 0},
	{"more than it holds", core + ".YgAAAAAAAAAAAAAA", false, false, 0},
	{"padding that is not zero", core + ".YgAAAAAAAAB", false, false, 0},
	{"many segments", core + strings.Repeat("."+disclosed, maxSegments), false, false, 0},
}

func TestTC(t *testing.T) {
	for _, c := range tcCases {
		consents, found, ok := readTC(c.text)
		if ok != c.ok || found != c.found || consents != c.consents {
			t.Errorf("%s: %024b, found %v, readable %v", c.what, consents, found, ok)
		}
	}
}

func TestTCOfARequest(t *testing.T) {
	r := newReader(t)
	for _, c := range []struct{ what, cookies, want string }{
		{"consent to 4", "euconsent-v2=" + core + ".YgAAAAAAAAA", "+ads -news -shared"},
		{"consent to 1", "euconsent-v2=" + core + ".cAAAAAAAITg", "+news -ads -shared"},
		{"consent to all", "euconsent-v2=" + core + ".f____AAAAAAA", "+ads +news +shared"},
		{"no publisher", "euconsent-v2=" + core, ""},
		{"garbage", "euconsent-v2=garbage", "-ads -news -shared"},
		{"in GPP", "__gpp=DBABMA~" + core + ".YgAAAAAAAAA", "+ads -news -shared"},
		{"in GPP, twice the same", "__gpp=DBABMA~" + core + ".YgAAAAAAAAA; euconsent-v2=" + core + ".YgAAAAAAAAA", "+ads -news -shared"},
		{"in GPP, which disagrees", "__gpp=DBABMA~" + core + ".YgAAAAAAAAA; euconsent-v2=" + core + ".cAAAAAAAITg", "-ads -news -shared"},
		{"in GPP, which does not speak of it", "__gpp=DBABMA~" + core + "; euconsent-v2=" + core + ".f____AAAAAAA", ""},
		{"in a GPP that cannot be read", "__gpp=DBACNYA~" + core + ".YgAAAAAAAAA; euconsent-v2=" + core + ".YgAAAAAAAAA", "-ads -news -shared"},
		{"a GPP without it", "__gpp=DBABTA~1YNN; euconsent-v2=" + core + ".YgAAAAAAAAA", "+ads -news -shared"},
	} {
		s := r.Read(map[string][]string{"Cookie": {c.cookies}})
		if got := heard(r, &s, TCF); sorted(got) != sorted(c.want) {
			t.Errorf("%s: %q, not %q", c.what, got, c.want)
		}
	}
}

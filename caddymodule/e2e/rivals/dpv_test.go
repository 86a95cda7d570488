package rivals_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/piprate/json-gold/ld"

	"github.com/modicum-proxy/modicum/internal/consent/record"
)

// documents returns the records that the tests of the package write, by name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../../internal/consent/record/testdata/*.jsonld")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d documents: %v", len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // G304: of testdata
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = string(text)
	}
	return all
}

// expand expands a document with a processor that is not ours, that has no
// network, and that refuses whatever it would have to drop.
func expand(t *testing.T, text string) (document any, expanded []any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	options := ld.NewJsonLdOptions("")
	options.SafeMode, options.DocumentLoader = true, noNetwork{}
	expanded, err := ld.NewJsonLdProcessor().Expand(document, options)
	if err != nil {
		t.Fatal(err)
	}
	return document, expanded
}

type noNetwork struct{}

func (noNetwork) LoadDocument(address string) (*ld.RemoteDocument, error) {
	return nil, fmt.Errorf("%s: there is no network", address)
}

// values counts the scalars of a document, beside its context.
func values(node any) int {
	n := 0
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if key != "@context" {
				n += values(value)
			}
		}
	case []any:
		for _, value := range node {
			n += values(value)
		}
	default:
		return 1
	}
	return n
}

// iris gathers the keys and types of an expanded document.
func iris(node any, found map[string]bool) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if !strings.HasPrefix(key, "@") {
				found[key] = true
			}
			if types, ok := value.([]any); ok && key == "@type" {
				for _, t := range types {
					found[t.(string)] = true
				}
			}
			iris(value, found)
		}
	case []any:
		for _, value := range node {
			iris(value, found)
		}
	}
}

// terms are those that the vocabularies have: DPV 2.3, its extension for the
// GDPR, DCMI. A term that is misspelled expands as well as any other.
var terms = map[string][]string{
	"https://w3id.org/dpv#": {
		"ConsentRecord", "ConsentReceipt", "ConsentNotice", "DataSubject", "DataController", "DataProtectionOfficer", "DataSubjectRight", "PersonalData",
		"Process", "ProvideConsent", "Purpose", "Recipient", "StorageDuration", "TemporalDuration", "UntilEventDuration", "UntilTimeDuration", "WithdrawConsent",
		"ConsentGiven", "RenewedConsentGiven", "ConsentRefused", "ConsentWithdrawn", "ConsentExpired", "ConsentStatusInvalidForProcessing",
		"hasAddress", "hasConsentControl", "hasConsentStatus", "hasContact", "hasCountry", "hasDataController", "hasDataProtectionOfficer",
		"hasDataSubject", "hasDuration", "hasIndicationMethod", "hasJurisdiction", "hasLegalBasis", "hasName", "hasNotice", "hasPersonalData",
		"hasProcess", "hasPurpose", "hasRecipient", "hasRecordOfActivity", "hasRight", "hasStorageCondition", "isExercisedAt", "isIndicatedAtTime", "isIndicatedBy",
	},
	"https://w3id.org/dpv/legal/eu/gdpr#":         {"A7-3"},
	"http://purl.org/dc/terms/":                   {"audience", "conformsTo", "created", "date", "description", "identifier", "language", "modified", "publisher", "title"},
	"http://www.w3.org/1999/02/22-rdf-syntax-ns#": {"value"},
	record.Namespace: {
		"action", "address", "category", "field", "keep", "linkedSubject", "notice", "policyVersion", "receipt", "revision", "source", "subject", "text", "textDigest",
	},
}

// Each document is JSON-LD of which nothing is lost, in terms that exist.
func TestExpands(t *testing.T) {
	found := map[string]bool{}
	for name, text := range documents(t) {
		if !strings.HasSuffix(name, ".jsonld") {
			continue
		}
		document, expanded := expand(t, text)
		// A literal that has a type by the context says so when it is expanded.
		typed := len(regexp.MustCompile(`"(dct:(created|date|modified)|dpv:isIndicatedAtTime|modicum:revision)": ?["0-9]`).FindAllString(text, -1))
		if got, want := values(expanded), values(document)+typed; got != want {
			t.Errorf("%s: %d values are left of %d", name, got, want)
		}
		iris(expanded, found)
	}
	var exist []string
	for namespace, names := range terms {
		for _, name := range names {
			exist = append(exist, namespace+name)
		}
	}
	slices.Sort(exist)
	if diff := cmp.Diff(exist, slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("terms that exist (-) and that are used (+):\n%s", diff)
	}
}

// The record says what a reader of the vocabulary looks for, under the names
// that the vocabularies give it.
func TestExpandedRecord(t *testing.T) {
	_, expanded := expand(t, documents(t)["records.jsonld"])
	var records []map[string]any
	for _, node := range expanded {
		records = append(records, node.(map[string]any))
	}
	if len(records) != 4 {
		t.Fatalf("%d records", len(records))
	}
	const (
		dpv = "https://w3id.org/dpv#"
		dct = "http://purl.org/dc/terms/"
		ns  = record.Namespace

		text   = "Send you offers by e-mail?\nYou get a 5 % voucher."
		digest = "338678448823fd5906f169f820f7fefe466fe760f81ac53955468e54a9067b38"
	)
	first := func(node map[string]any, path ...string) map[string]any {
		for _, key := range path {
			list, _ := node[key].([]any)
			if len(list) == 0 {
				return nil
			}
			node, _ = list[0].(map[string]any)
		}
		return node
	}
	rec := records[0] // that of the cookie
	for _, want := range []struct {
		path       []string
		key, value string
	}{
		{[]string{dct + "conformsTo"}, "@id", "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"},
		{[]string{dpv + "hasJurisdiction"}, "@id", "https://w3id.org/dpv/loc#DE"},
		{[]string{dpv + "hasDataSubject", dct + "identifier"}, "@value", "5f2a9c01.Ck-cookie"},
		{[]string{dpv + "hasDataSubject", ns + "linkedSubject"}, "@value", "5f2a9c01.-e-mail"},
		{[]string{dpv + "hasProcess", dpv + "hasLegalBasis"}, "@id", "https://w3id.org/dpv/legal/eu/gdpr#A6-1-a"},
		{[]string{dpv + "hasProcess", dpv + "hasPurpose", dct + "identifier"}, "@value", "newsletter"},
		{[]string{dpv + "hasProcess", dpv + "hasPersonalData", ns + "field"}, "@value", "birthday"},
		{[]string{dpv + "hasProcess", dpv + "hasStorageCondition", dpv + "hasDuration", "http://www.w3.org/1999/02/22-rdf-syntax-ns#value"}, "@type", "http://www.w3.org/2001/XMLSchema#duration"},
		{[]string{dpv + "hasConsentControl", dpv + "isExercisedAt"}, "@id", "https://shop.example/privacy/choices"},
		{[]string{dpv + "hasNotice", ns + "textDigest"}, "@value", digest},
		{[]string{dpv + "hasNotice", ns + "text"}, "@value", text},
		{[]string{dpv + "hasNotice", ns + "text"}, "@language", "en"},
		{[]string{dpv + "hasConsentStatus", dpv + "isIndicatedAtTime"}, "@type", "http://www.w3.org/2001/XMLSchema#dateTime"},
		{[]string{dpv + "hasConsentStatus", dpv + "isIndicatedAtTime"}, "@value", "2026-11-22T12:00:00.123456Z"},
		{[]string{dpv + "hasConsentStatus", dpv + "isIndicatedBy"}, "@id", dpv + "DataSubject"},
	} {
		if got := first(rec, want.path...)[want.key]; got != want.value {
			t.Errorf("%s %s is %v, not %s", strings.Join(want.path, " "), want.key, got, want.value)
		}
	}
	if got, want := first(rec, dpv+"hasConsentStatus", dpv+"hasNotice")["@id"], first(rec, dpv+"hasNotice")["@id"]; got != want || want == nil {
		t.Errorf("the status names the text %v, not %v", got, want)
	}
	var statuses []string
	for _, s := range rec[dpv+"hasConsentStatus"].([]any) {
		statuses = append(statuses, strings.TrimPrefix(s.(map[string]any)["@type"].([]any)[0].(string), dpv))
	}
	// That of the linked subject is the last.
	if want := []string{"ConsentGiven", "ConsentExpired", "RenewedConsentGiven", "ConsentWithdrawn"}; !slices.Equal(statuses, want) {
		t.Errorf("statuses %v, not %v", statuses, want)
	}
}

package record

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"iter"
	"regexp"
	"slices"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// The profiles of the Data Privacy Vocabulary for ISO/IEC TS 27560, as the
// guide "Consent Records and Receipts" of its community group names them.
const (
	recordProfile  = "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"
	receiptProfile = "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
)

// Namespace holds the terms that we add to the vocabulary.
const Namespace = "https://modicum-proxy.github.io/ns#"

// dpvContext is the context of our documents. It stands in them, so that they
// are read without a network, and says of which values are names of things.
var dpvContext = json.RawMessage(`{` +
	`"dpv":"https://w3id.org/dpv#",` +
	`"eu-gdpr":"https://w3id.org/dpv/legal/eu/gdpr#",` +
	`"loc":"https://w3id.org/dpv/loc#",` +
	`"dct":"http://purl.org/dc/terms/",` +
	`"rdf":"http://www.w3.org/1999/02/22-rdf-syntax-ns#",` +
	`"xsd":"http://www.w3.org/2001/XMLSchema#",` +
	`"modicum":"` + Namespace + `",` +
	`"dct:conformsTo":{"@type":"@id"},` +
	`"dct:audience":{"@type":"@id"},` +
	`"dct:created":{"@type":"xsd:dateTime"},` +
	`"dct:date":{"@type":"xsd:dateTime"},` +
	`"dct:modified":{"@type":"xsd:dateTime"},` +
	`"dpv:hasCountry":{"@type":"@id"},` +
	`"dpv:hasJurisdiction":{"@type":"@id"},` +
	`"dpv:hasLegalBasis":{"@type":"@id"},` +
	`"dpv:hasNotice":{"@type":"@id"},` +
	`"dpv:hasRight":{"@type":"@id"},` +
	`"dpv:isExercisedAt":{"@type":"@id"},` +
	`"dpv:isIndicatedAtTime":{"@type":"xsd:dateTime"},` +
	`"dpv:isIndicatedBy":{"@type":"@id"},` +
	`"modicum:revision":{"@type":"xsd:integer"}` +
	`}`)

// WriteDPV writes the consent records of persons as one JSON-LD document, a
// record on each line: ISO/IEC TS 27560 in the terms of the W3C community
// group's Data Privacy Vocabulary. There is one for each subject and purpose;
// a record that comes twice, see [Persons], is whole when it comes last.
func WriteDPV(w io.Writer, persons iter.Seq2[Person, error], site *Site) error {
	return writeLines(w, `{"@context":`+string(dpvContext)+`,"@graph":[`, "]}\n", func(yield func(*dpvRecord, error) bool) {
		for p, err := range persons {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, t := range p.Threads() {
				if !yield(newDPVRecord(p, &t, site), nil) {
					return
				}
			}
		}
	})
}

type dpvRecord struct {
	ID           string       `json:"@id"`
	Type         string       `json:"@type"`
	ConformsTo   string       `json:"dct:conformsTo"`
	Identifier   uuid.UUID    `json:"dct:identifier"`
	Created      string       `json:"dct:created"`
	Modified     string       `json:"dct:modified"`
	Subject      dpvSubject   `json:"dpv:hasDataSubject"`
	Jurisdiction string       `json:"dpv:hasJurisdiction,omitempty"`
	Process      []dpvProcess `json:"dpv:hasProcess"`
	Control      *dpvRight    `json:"dpv:hasConsentControl,omitempty"`
	Right        []dpvRight   `json:"dpv:hasRight"`
	Notice       []dpvNotice  `json:"dpv:hasNotice,omitempty"`
	Status       []dpvStatus  `json:"dpv:hasConsentStatus"`
}

type dpvSubject struct {
	Type       string            `json:"@type"`
	Identifier consent.Subject   `json:"dct:identifier"`
	Linked     []consent.Subject `json:"modicum:linkedSubject,omitempty"`
}

// dpvRight is a right of the person, or the place where a consent is given and
// withdrawn.
type dpvRight struct {
	Type        []string `json:"@type"`
	ExercisedAt string   `json:"dpv:isExercisedAt,omitempty"`
}

// dpvNotice is a text as it was shown. Its name is its digest (RFC 6920), so
// anyone who has the text can check that it is this one.
type dpvNotice struct {
	ID       string   `json:"@id"`
	Type     string   `json:"@type"`
	Date     string   `json:"dct:date"` // when it was shown first
	Language string   `json:"dct:language,omitempty"`
	Digest   string   `json:"modicum:textDigest"`
	Text     dpvValue `json:"modicum:text"`
}

type dpvValue struct {
	Value    string `json:"@value"`
	Language string `json:"@language,omitempty"`
	Type     string `json:"@type,omitempty"`
}

func newDPVRecord(p Person, t *Thread, site *Site) *dpvRecord {
	id := t.id()
	told, same := site.today(t)
	controller := site.Controller
	if told != nil {
		controller = told.Controller
	}
	rec := &dpvRecord{
		ID: id.URN(), Type: "dpv:ConsentRecord", ConformsTo: recordProfile, Identifier: id,
		Created: stamp(t.Events[0].Time), Modified: stamp(t.Latest().Time),
		Subject:      dpvSubject{Type: "dpv:DataSubject", Identifier: t.Subject, Linked: p.linked(t.Subject)},
		Jurisdiction: country(controller.Country),
		Process:      []dpvProcess{newDPVProcess(t.Purpose, controller, told, same)},
		Right:        []dpvRight{{Type: []string{"dpv:DataSubjectRight", "eu-gdpr:A7-3"}, ExercisedAt: site.Choices}},
		Status:       dpvStatuses(t),
	}
	if site.Choices != "" {
		rec.Control = &dpvRight{Type: []string{"dpv:ProvideConsent", "dpv:WithdrawConsent"}, ExercisedAt: site.Choices}
	}
	for i := range t.Events {
		n, ok := newDPVNotice(&t.Events[i])
		if ok && !slices.ContainsFunc(rec.Notice, func(other dpvNotice) bool { return n.ID == other.ID }) {
			rec.Notice = append(rec.Notice, n)
		}
	}
	return rec
}

// id returns the identifier of a record: the same in each export.
func (t *Thread) id() uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(Namespace+"record\x00"+string(t.Subject)+"\x00"+t.Purpose))
}

// wellFormed is what JSON-LD takes for a language tag.
var wellFormed = regexp.MustCompile(`^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$`)

// newDPVNotice makes the notice of an event, if a text was shown.
func newDPVNotice(e *consent.Event) (dpvNotice, bool) {
	shown := e.Shown
	if shown == nil {
		return dpvNotice{}, false
	}
	n := dpvNotice{
		ID: digestName(shown.Digest), Type: "dpv:ConsentNotice", Date: stamp(e.Time), Digest: shown.Digest, Text: dpvValue{Value: shown.Text},
	}
	if wellFormed.MatchString(shown.Language) {
		n.Language, n.Text.Language = shown.Language, shown.Language
	}
	return n, true
}

// digestName names a text by its SHA-256, which is given in hex (RFC 6920).
func digestName(digest string) string {
	sum, err := hex.DecodeString(digest)
	if err != nil {
		return "urn:modicum:text:" + base64.RawURLEncoding.EncodeToString([]byte(digest)) // still a name of its own
	}
	return "ni:///sha-256;" + base64.RawURLEncoding.EncodeToString(sum)
}

// country names a country in the terms of the vocabulary; empty if it is unknown.
func country(code string) string {
	if code == "" {
		return ""
	}
	return "loc:" + code
}

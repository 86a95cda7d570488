package record

import (
	"cmp"
	"fmt"

	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// dpvProcess says what is done with which data for a purpose.
type dpvProcess struct {
	Type       string        `json:"@type"`
	Purpose    dpvPurpose    `json:"dpv:hasPurpose"`
	LegalBasis string        `json:"dpv:hasLegalBasis,omitempty"`
	Data       []dpvData     `json:"dpv:hasPersonalData,omitempty"`
	Controller dpvController `json:"dpv:hasDataController"`
	Recipients []dpvNamed    `json:"dpv:hasRecipient,omitempty"`
	Storage    []dpvStorage  `json:"dpv:hasStorageCondition,omitempty"`
	Policy     string        `json:"modicum:policyVersion,omitempty"`
}

type dpvPurpose struct {
	Type        string `json:"@type"`
	Identifier  string `json:"dct:identifier"`
	Title       string `json:"dct:title,omitempty"`
	Description string `json:"dct:description,omitempty"`
}

// dpvData is one kind of data. Its category is of the fideslang taxonomy,
// which is not the vocabulary's.
type dpvData struct {
	Type     string `json:"@type"`
	Field    string `json:"modicum:field"`
	Category string `json:"modicum:category,omitempty"`
	Keep     string `json:"modicum:keep,omitempty"`
	Label    string `json:"dct:title,omitempty"`
	Why      string `json:"dct:description,omitempty"`
}

type dpvController struct {
	dpvNamed

	Country string    `json:"dpv:hasCountry,omitempty"`
	DPO     *dpvNamed `json:"dpv:hasDataProtectionOfficer,omitempty"`
}

type dpvNamed struct {
	Type    string `json:"@type"`
	Name    string `json:"dpv:hasName,omitempty"`
	Contact string `json:"dpv:hasContact,omitempty"`
	Address string `json:"dpv:hasAddress,omitempty"`
}

type dpvStorage struct {
	Type     string      `json:"@type"`
	Duration dpvDuration `json:"dpv:hasDuration"`
}

type dpvDuration struct {
	Type  string   `json:"@type"`
	Value dpvValue `json:"rdf:value"`
}

// legalBases are the vocabulary's terms for what a policy calls a basis. A
// purpose that people choose about rests on consent, unless they object to it.
var legalBases = map[policy.Basis]string{
	"":                         "eu-gdpr:A6-1-a",
	policy.Consent:             "eu-gdpr:A6-1-a",
	policy.Contract:            "eu-gdpr:A6-1-b",
	policy.LegalObligation:     "eu-gdpr:A6-1-c",
	policy.VitalInterests:      "eu-gdpr:A6-1-d",
	policy.PublicTask:          "eu-gdpr:A6-1-e",
	policy.LegitimateInterests: "eu-gdpr:A6-1-f",
}

// newDPVProcess says what is done for a purpose. What is told of it today says
// it only when the person was told the same: anything else stands in the text
// that was shown.
func newDPVProcess(purpose string, controller notice.Party, told *notice.Consent, same bool) dpvProcess {
	process := dpvProcess{
		Type: "dpv:Process", Purpose: dpvPurpose{Type: "dpv:Purpose", Identifier: purpose}, LegalBasis: legalBases[policy.Consent],
		Controller: dpvController{dpvNamed: named("dpv:DataController", controller), Country: country(controller.Country)},
	}
	if told != nil {
		process.LegalBasis = legalBases[told.Basis]
	}
	if !same {
		return process
	}
	process.Policy = told.Policy
	process.Purpose.Title, process.Purpose.Description = told.Title, told.Description
	if told.DPO != (notice.Party{}) {
		dpo := named("dpv:DataProtectionOfficer", told.DPO)
		process.Controller.DPO = &dpo
	}
	for _, d := range told.Data {
		process.Data = append(process.Data, dpvData{Type: "dpv:PersonalData", Field: cmp.Or(d.Field, d.Whole), Category: d.Category, Keep: d.Keep, Label: d.Label, Why: d.Why})
	}
	for _, name := range told.Recipients {
		process.Recipients = append(process.Recipients, dpvNamed{Type: "dpv:Recipient", Name: name})
	}
	if duration := isoDuration(told.Retention); duration != "" {
		process.Storage = []dpvStorage{{Type: "dpv:StorageDuration", Duration: dpvDuration{
			Type: "dpv:TemporalDuration", Value: dpvValue{Value: duration, Type: "xsd:duration"},
		}}}
	}
	return process
}

func named(kind string, p notice.Party) dpvNamed {
	return dpvNamed{Type: kind, Name: p.Name, Contact: p.Contact, Address: p.Address}
}

// isoDuration writes a period of the policy language, "3y", as XML Schema
// does; empty if it is none. XML Schema has no weeks.
func isoDuration(period string) string {
	p, _ := policy.ParsePeriod(period)
	switch p.Unit {
	case "h":
		return fmt.Sprintf("PT%dH", p.Count)
	case "d":
		return fmt.Sprintf("P%dD", p.Count)
	case "w":
		return fmt.Sprintf("P%dD", 7*p.Count)
	case "mo":
		return fmt.Sprintf("P%dM", p.Count)
	case "y":
		return fmt.Sprintf("P%dY", p.Count)
	}
	return ""
}

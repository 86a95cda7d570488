package record

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Receipt is what a person is given of the records about them: the same
// content under an identifier of its own.
type Receipt struct {
	ID      uuid.UUID
	Created time.Time
	// Person holds the events that the receipt is about.
	Person Person
	Site   *Site
}

type dpvReceipt struct {
	Context    json.RawMessage `json:"@context"`
	ID         string          `json:"@id"`
	Type       string          `json:"@type"`
	ConformsTo string          `json:"dct:conformsTo"`
	Identifier uuid.UUID       `json:"dct:identifier"`
	Created    string          `json:"dct:created"`
	Publisher  string          `json:"dct:publisher,omitempty"`
	Audience   string          `json:"dct:audience"`
	Records    []*dpvRecord    `json:"dpv:hasRecordOfActivity"`
}

// JSONLD returns the receipt as a dpv:ConsentReceipt, see [WriteDPV].
func (r *Receipt) JSONLD() ([]byte, error) {
	receipt := dpvReceipt{
		Context: dpvContext, ID: r.ID.URN(), Type: "dpv:ConsentReceipt", ConformsTo: receiptProfile, Identifier: r.ID,
		Created: stamp(r.Created), Publisher: r.Site.Controller.Name, Audience: "dpv:DataSubject", Records: []*dpvRecord{},
	}
	for _, t := range r.Person.Threads() {
		receipt.Records = append(receipt.Records, newDPVRecord(r.Person, &t, r.Site))
	}
	text, err := json.MarshalIndent(receipt, "", "  ")
	return append(text, '\n'), err
}

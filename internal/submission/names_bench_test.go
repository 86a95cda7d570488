package submission

import (
	"strconv"
	"strings"
	"testing"
)

// orderFields are what an order has, with the paths of every kind but wildcards.
var orderFields = []string{"name", "email", "address.city", "address.street", "items.*.sku", "items.*.qty", "meta.**", "!meta.ssn", "tags.*"}

// BenchmarkForm reads an order without wildcards: what most sites send.
func BenchmarkForm(b *testing.B) {
	var form strings.Builder
	form.WriteString("name=Ada&email=ada%40shop.example&address%5Bcity%5D=Rome&address%5Bstreet%5D=Via+1&meta%5Bcolour%5D=blue&utm=x")
	for i := range 20 {
		form.WriteString(strings.NewReplacer("#", strconv.Itoa(i)).Replace("&items%5B#%5D%5Bsku%5D=A-1&items%5B#%5D%5Bqty%5D=2&items%5B#%5D%5Bnote%5D=x"))
	}
	p, rep, lim := formPlan(b, orderFields...), new(Report), DefaultLimits()
	body, dst := []byte(form.String()), make([]byte, 0, 8<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		rep.Reset(p)
		if _, err := p.Form(dst, body, lim, rep); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJSON reads the same order as JSON.
func BenchmarkJSON(b *testing.B) {
	items := strings.TrimSuffix(strings.Repeat(`{"sku":"A-1","qty":2,"note":"x"},`, 20), ",")
	text := `{"name":"Ada","email":"ada@shop.example","address":{"city":"Rome","street":"Via 1"},"meta":{"colour":"blue"},"utm":"x","items":[` + items + `]}`
	p, rep, lim := formPlan(b, orderFields...), new(Report), DefaultLimits()
	body, dst := append(make([]byte, 0, len(text)+Padding), text...), make([]byte, 0, 8<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		rep.Reset(p)
		if _, err := p.JSON(dst, body, lim, rep); err != nil {
			b.Fatal(err)
		}
	}
}

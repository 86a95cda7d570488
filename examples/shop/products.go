package shop

import (
	"slices"
	"strings"
)

// product is a thing to sell. Its name and description are texts.
type product struct {
	SKU   string
	Price int // in cents
}

var products = []product{
	{"spoon", 1900},
	{"board", 4800},
	{"bird", 3200},
	{"cup", 5600},
	{"box", 3900},
	{"top", 1400},
}

func productBySKU(sku string) (product, bool) {
	i := slices.IndexFunc(products, func(p product) bool { return p.SKU == sku })
	if i < 0 {
		return product{}, false
	}
	return products[i], true
}

// find returns the products whose name or description holds the query.
func find(query string, words words) []product {
	query = strings.ToLower(strings.TrimSpace(query))
	var found []product
	for _, p := range products {
		text := words["product."+p.SKU+".name"] + " " + words["product."+p.SKU+".text"]
		if strings.Contains(strings.ToLower(text), query) {
			found = append(found, p)
		}
	}
	return found
}

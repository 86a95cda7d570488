// Command serve runs the demonstration shop by itself: the application that
// the Caddyfile at the root of the repository stands in front of.
package main

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/modicum-proxy/modicum/examples/shop"
)

func main() {
	server := &http.Server{
		Addr:              cmp.Or(os.Getenv("MODICUM_SHOP"), "localhost:3000"),
		Handler:           shop.New(),
		ReadHeaderTimeout: 10 * time.Second,
	}
	fmt.Printf("the shop is at http://%s, with nothing in front of it\n", server.Addr)
	fmt.Fprintln(os.Stderr, "serving the shop:", server.ListenAndServe())
	os.Exit(1)
}

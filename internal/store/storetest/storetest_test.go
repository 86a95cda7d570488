package storetest_test

import (
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/storetest"
)

// The model passes the suite that is written by it.
func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) consent.Store { return &storetest.Memory{} })
}

package subject

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/modicum-proxy/modicum/internal/regular"
)

// maxKeyFile is the most bytes of a key file.
const maxKeyFile = 1 << 20

// ErrKeyMissing means that a store has data and its key file is gone.
var ErrKeyMissing = errors.New("stored pseudonyms could no longer be matched: restore it, name another as consent_key, or move the store away to begin anew")

// KeyFile returns the name of the key file that belongs to the file of a store.
func KeyFile(store string) string { return store + ".key" }

// ReadKeyFile reads the keys beside the file of a store. The error wraps
// [fs.ErrNotExist] if there is no key file.
func ReadKeyFile(store string) (*Keys, error) {
	data, err := regular.ReadFile(KeyFile(store), maxKeyFile)
	if err != nil {
		return nil, err
	}
	keys, err := ParseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", KeyFile(store), err)
	}
	return keys, nil
}

// KeysBeside returns the keys beside the file of a store. If neither file
// exists yet it makes a new key, which write stores: a configuration may be
// checked without being used, so write is called before the store is opened.
// It returns [ErrKeyMissing] if the store has data but no key file.
func KeysBeside(store string) (keys *Keys, write func() error, err error) {
	keys, err = ReadKeyFile(store)
	if err == nil {
		return keys, func() error { return nil }, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	info, err := os.Stat(store)
	switch {
	case err == nil && info.IsDir():
		return nil, nil, fmt.Errorf("the consent store %s is a directory: name a file in it", store)
	case err == nil && info.Size() > 0:
		return nil, nil, fmt.Errorf("the key %s of the consent store is missing: %w", KeyFile(store), ErrKeyMissing)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	data := []byte(hex.EncodeToString(secret) + "\n")
	keys, err = ParseKeys(data)
	return keys, func() error { return writeKeyFile(KeyFile(store), data) }, err
}

// writeKeyFile creates a key file. It succeeds if the same key is there
// already.
func writeKeyFile(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // G304: the operator names the file
	if errors.Is(err, fs.ErrExist) {
		if found, err := regular.ReadFile(path, maxKeyFile); err == nil && string(found) == string(data) {
			return nil
		}
		return fmt.Errorf("the key %s was made by another process meanwhile: reload", path)
	}
	if err != nil {
		return fmt.Errorf("making the key of consents beside the store, in a directory that has to exist and be ours to write in: %w", err)
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

package postgres

// LoadQuery and ChangesQuery are for tests that ask the server how it answers.
const (
	LoadQuery    = loadQuery
	ChangesQuery = changesQuery
)

// Settle makes a session like ours.
var Settle = configureSession

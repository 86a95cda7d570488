package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// oldest is the first version that is supported.
const oldest = 14

// safe lists the settings without which a server can lose or mangle what it
// acknowledged, and what the operator can do.
var safe = []struct{ name, value, why string }{
	{"fsync", "on", "a power cut loses consents, or the whole database; set fsync = on and restart the server"},
	{"full_page_writes", "on", "a power cut can tear pages; set full_page_writes = on and reload, unless the storage never writes half a page"},
	{"data_sync_retry", "off", "a failed write to the disk can pass for a good one; set data_sync_retry = off and restart the server"},
}

// check refuses a server that cannot keep consents.
func check(ctx context.Context, pool *pgxpool.Pool, unsafe bool) error {
	var version int
	err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version)
	if err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", redact(err))
	}
	if version/10000 < oldest {
		return fmt.Errorf("PostgreSQL %d is too old: %d or later is needed", version/10000, oldest)
	}
	if unsafe {
		return nil
	}
	var found []string
	for _, s := range safe {
		var value string
		if err := pool.QueryRow(ctx, "SELECT current_setting($1)", s.name).Scan(&value); err != nil {
			return fmt.Errorf("reading the setting %s of PostgreSQL: %w", s.name, redact(err))
		}
		if value != s.value {
			found = append(found, fmt.Sprintf("%s = %s: %s", s.name, value, s.why))
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("the PostgreSQL server does not keep what it acknowledges (%s), or say \"unsafe\"", strings.Join(found, "; "))
	}
	return nil
}

var errReplica = errors.New("the server is a read replica: name the primary in the DSN, or all hosts")

// refuseReplica looks at each new connection, since the server may have
// changed its part. A replica cannot store a withdrawal, and tells of others'
// too late. Another of the DSN's hosts is tried then.
func refuseReplica(ctx context.Context, conn *pgconn.PgConn) error {
	result := conn.ExecParams(ctx, "SELECT pg_is_in_recovery()", nil, nil, nil, nil).Read()
	if result.Err != nil {
		return result.Err
	}
	if string(result.Rows[0][0]) != "f" {
		return errReplica
	}
	return nil
}

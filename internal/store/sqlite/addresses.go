package sqlite

import (
	"context"
	"database/sql"
	"time"
)

const forgetAddressesSQL = `UPDATE event SET address = '' WHERE rev IN
	(SELECT rev FROM event WHERE address <> '' AND time < ?1 ORDER BY time LIMIT ?2)`

// ForgetAddresses implements [consent.Store]. Like what [Store.Prune]
// deletes, they are legible nowhere in the files afterwards.
func (s *Store) ForgetAddresses(ctx context.Context, before time.Time, limit int) (total int, err error) {
	for more := true; more && err == nil; {
		asked, n := min(atATime, limit-total), 0
		err = s.writer.write(ctx, func(ctx context.Context, conn *sql.Conn) error {
			result, err := conn.ExecContext(ctx, forgetAddressesSQL, before.UnixMicro(), asked)
			if err != nil {
				return err
			}
			affected, err := result.RowsAffected()
			n = int(affected)
			s.writer.legible = s.writer.legible || n > 0
			return err
		})
		total += n
		more = n == asked && total < limit
	}
	if err == nil {
		err = s.writer.write(ctx, s.writer.erase)
	}
	if err != nil {
		return total, unavailable("forgetting addresses", err)
	}
	return total, nil
}

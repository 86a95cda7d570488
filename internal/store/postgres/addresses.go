package postgres

import (
	"context"
	"time"
)

// ForgetAddresses empties addresses of old events, see [consent.Store].
func (s *Store) ForgetAddresses(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, `UPDATE modicum.event SET address = '' WHERE rev IN
		(SELECT rev FROM modicum.event WHERE address <> '' AND time < $1 ORDER BY time LIMIT $2)`, before, limit)
	if err != nil {
		return 0, unavailable("forgetting addresses", err)
	}
	return int(tag.RowsAffected()), nil
}

// Package postgres keeps consents in PostgreSQL: the store that several
// proxies share.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Options say which database, and how it is used.
type Options struct {
	// DSN is a connection string or URL as libpq takes it, or with additions
	// of pgx: pool_max_conns, default_query_exec_mode. Several hosts may be
	// named: the one that is no replica is used.
	DSN string
	// Lease is how long this process decides by what it read before, at most
	// [consent.MaxLease].
	Lease time.Duration
	// Unsafe accepts a server that can lose what it acknowledged, and leaves
	// its synchronous_commit as it is.
	Unsafe bool
	// Logger receives errors. Default: none.
	Logger *slog.Logger
}

// How long we wait for a server. What takes longer is better answered as
// unavailable.
const (
	connectTimeout   = 3 * time.Second
	statementTimeout = 5 * time.Second
	pingTimeout      = 500 * time.Millisecond
	// migrateTimeout bounds an opening that changes the schema, or waits for
	// another process that does.
	migrateTimeout = 5 * time.Minute
)

// defaultConns bounds the connections for reading when the DSN does not. Two
// more write and listen.
const defaultConns = 8

// Store keeps consents in the schema "modicum" of a database.
type Store struct {
	pool     *pgxpool.Pool
	lease    time.Duration
	durable  bool
	writer   *writer
	listener *listener
}

var (
	_ consent.Store = (*Store)(nil)
	_ consent.Feed  = (*Store)(nil)
)

// Open connects to the database, looks whether it keeps what it acknowledges,
// and creates or upgrades the schema. When the server does not answer it
// fails soon.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Lease < 0 || options.Lease > consent.MaxLease {
		return nil, fmt.Errorf("the lease is %v: expected at most %v", options.Lease, consent.MaxLease)
	}
	config, err := configure(options.DSN)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	s := &Store{pool: pool, lease: options.Lease, durable: !options.Unsafe, listener: &listener{connect: connector(config), logger: options.Logger}}
	if err := s.prepare(ctx, options.Unsafe); err != nil {
		pool.Close()
		return nil, opening(err)
	}
	s.writer = newWriter(connector(config), s.durable) //nolint:contextcheck // it outlives the opening
	return s, nil
}

// prepare checks the server, upgrades the schema and stores the lease.
func (s *Store) prepare(ctx context.Context, unsafe bool) error {
	if err := check(ctx, s.pool, unsafe); err != nil {
		return err
	}
	if err := migrate(ctx, s.pool); err != nil {
		return err
	}
	return s.raiseLease(ctx)
}

// Close ends all connections. What is being stored is finished first.
func (s *Store) Close() error {
	s.writer.close()
	s.listener.close()
	s.pool.Close()
	return nil
}

// configure reads the DSN and sets what it leaves open.
func configure(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The error shows the DSN without its password.
		return nil, fmt.Errorf("reading the DSN of PostgreSQL: %w", err)
	}
	given, err := pgconn.ParseConfigWithOptions(dsn, pgconn.ParseConfigOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the DSN of PostgreSQL: %w", err)
	}
	if _, ok := given.RuntimeParams["pool_max_conns"]; !ok {
		config.MaxConns = defaultConns
	}
	config.MaxConns = max(config.MaxConns, 2) // a migration works beside its lock
	config.PingTimeout = pingTimeout
	config.AfterConnect = configureSession

	conn := config.ConnConfig
	conn.ConnectTimeout = min(conn.ConnectTimeout, connectTimeout)
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = connectTimeout
	}
	// A peer that vanished without a word is noticed within half a minute
	// also while nothing is asked of it.
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	conn.DialFunc = dialer.DialContext
	if conn.ValidateConnect == nil {
		conn.ValidateConnect = refuseReplica
	}
	if _, ok := conn.RuntimeParams["application_name"]; !ok {
		conn.RuntimeParams["application_name"] = "modicum"
	}
	return config, nil
}

// settings are those of our sessions. The first bound what a session does
// whose client is gone. The others keep the planner from what it would make of
// tables that have just begun to grow: each statement here looks few rows up
// by an index. A pooler that shares sessions may lose all of this, so that no
// promise rests on it.
var settings = [][2]string{
	{"statement_timeout", strconv.FormatInt(statementTimeout.Milliseconds(), 10)},
	{"idle_in_transaction_session_timeout", strconv.FormatInt(statementTimeout.Milliseconds(), 10)},
	{"default_transaction_isolation", "read committed"},
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "off"},
	{"max_parallel_workers_per_gather", "0"},
	{"jit", "off"},
}

// configureSession makes the settings of a new session.
func configureSession(ctx context.Context, conn *pgx.Conn) error {
	names, values := make([]string, len(settings)), make([]string, len(settings))
	for i, s := range settings {
		names[i], values[i] = s[0], s[1]
	}
	_, err := conn.Exec(ctx, "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS s(name, value)",
		pgx.QueryExecModeExec, names, values)
	return err
}

// connect opens a connection apart from the pool, so that writing does not
// wait for readers. notice receives the notices of the server; it may be nil.
type connect func(ctx context.Context, notice pgconn.NoticeHandler) (*pgx.Conn, error)

func connector(config *pgxpool.Config) connect {
	return func(ctx context.Context, notice pgconn.NoticeHandler) (*pgx.Conn, error) {
		own := config.ConnConfig.Copy()
		own.OnNotice = notice
		conn, err := pgx.ConnectConfig(ctx, own)
		if err != nil {
			return nil, err
		}
		if err := configureSession(ctx, conn); err != nil {
			return nil, errors.Join(err, conn.Close(ctx))
		}
		return conn, nil
	}
}

//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
	"github.com/modicum-proxy/modicum/internal/store/sqlite"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// TestConsentScript runs the consent commands as a shell would, in a store
// itself and through a Modicum that runs.
func TestConsentScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/consent",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"jsondoc": jsonDocument,
			"status":  exitStatus,
			"keep":    keepConsents,
			"serve":   serve,
			"postgres": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) > 0 {
					ts.Fatalf("usage: postgres")
				}
				ts.Setenv("MODICUM_DSN", newDatabase(ts))
			},
		},
		Condition: func(condition string) (bool, error) {
			if condition != "postgres" {
				return false, fmt.Errorf("unknown condition %q", condition)
			}
			if os.Getenv(postgresVariable) == "" && os.Getenv("CI") == "true" {
				return false, errors.New(postgresVariable + " is not set: .ci/postgres start prints it")
			}
			return os.Getenv(postgresVariable) != "", nil
		},
	})
}

// postgresVariable holds the connection string of a PostgreSQL that tests may
// make databases in.
const postgresVariable = "MODICUM_TEST_POSTGRES"

// newDatabase makes a database for a script.
func newDatabase(ts *testscript.TestScript) (dsn string) {
	ctx := context.Background()
	server := os.Getenv(postgresVariable)
	name := "modicum_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute := func(statement string) {
		conn, err := pgx.Connect(ctx, server)
		ts.Check(err)
		_, err = conn.Exec(ctx, statement)
		ts.Check(errors.Join(err, conn.Close(ctx)))
	}
	execute("CREATE DATABASE " + name)
	ts.Defer(func() { execute("DROP DATABASE " + name + " WITH (FORCE)") })
	return server + " dbname=" + name
}

// keepConsents keeps in a new store what two people chose: keep consent.db
// privacy.yaml, or keep postgres privacy.yaml. Ada is known by the e-mail
// address ada@shop.example.
func keepConsents(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep store policy")
	}
	secret := strings.Repeat("0123456789abcdef", 4)
	ts.Check(os.WriteFile(ts.MkAbs(args[0])+".key", []byte(secret), 0o600))
	keys, err := subject.ParseKeys([]byte(secret))
	ts.Check(err)
	ada := keys.Subjects(subject.Identity{Kind: subject.ByEmail, Value: "ada@shop.example"})[0]
	set, diagnostics := policy.Compile(policy.Source{Name: args[1], Data: []byte(ts.ReadFile(args[1]))})
	ts.Check(diagnostics.Err())
	newsletter, _ := set.PurposeID("newsletter")
	current := notice.ForPurpose(set, newsletter, "en")
	text := "Send you offers by e-mail?\n\x1b[2J=HYPERLINK(1)"
	sum := sha256.Sum256([]byte(text))
	shown := &consent.Shown{Digest: hex.EncodeToString(sum[:]), Language: "en", Text: text}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var store interface {
		consent.Store
		io.Closer
	}
	if args[0] == "postgres" {
		store, err = postgres.Open(context.Background(), postgres.Options{DSN: ts.Getenv("MODICUM_DSN")})
	} else {
		store, err = sqlite.Open(context.Background(), sqlite.Options{Path: ts.MkAbs(args[0])})
	}
	ts.Check(err)
	events := []consent.Event{
		{Subject: ada, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromForm, Notice: current.ID, Shown: shown, Expires: at.AddDate(50, 0, 0), Policy: set.Version},
		{Subject: "0badcafe.bob", Purpose: "newsletter", Action: consent.Refuse, Source: consent.FromPage, Notice: current.ID, Shown: shown, Policy: set.Version},
		{Subject: ada, Purpose: "statistics", Action: consent.Grant, Source: consent.FromPage, Notice: "an older text", Policy: set.Version},
	}
	for i := range events {
		events[i].ID, events[i].Time = uuid.NewSHA1(uuid.Nil, []byte{byte(i)}), at.Add(time.Duration(i)*time.Minute)
	}
	_, err = store.Append(context.Background(), events...)
	ts.Check(err)
	ts.Check(store.Close())
}

// serve runs modicum until the script ends: serve Caddyfile admin.sock.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: serve Caddyfile socket")
	}
	modicum, err := exec.LookPath("modicum")
	if path := ts.Getenv("PATH"); err != nil {
		modicum, err = lookIn(path)
	}
	ts.Check(err)
	cmd := exec.Command(modicum, "run", "--config", args[0]) //nolint:gosec,noctx // G204: the test binary; the script ends it
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "WORK="+ts.Getenv("WORK"), "MODICUM_DSN="+ts.Getenv("MODICUM_DSN"), "HOME="+ts.MkAbs("."), "XDG_DATA_HOME="+ts.MkAbs("data"), "XDG_CONFIG_HOME="+ts.MkAbs("config"))
	var log bytes.Buffer
	cmd.Stderr = &log
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", ts.MkAbs(args[1])) //nolint:noctx // it is there or not
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			ts.Fatalf("modicum does not serve: %v\n%s", err, log.String())
		}
	}
}

// lookIn finds modicum in the script's own path.
func lookIn(path string) (string, error) {
	for dir := range strings.SplitSeq(path, string(os.PathListSeparator)) {
		if _, err := os.Stat(dir + "/modicum"); err == nil {
			return dir + "/modicum", nil
		}
	}
	return "", exec.ErrNotFound
}

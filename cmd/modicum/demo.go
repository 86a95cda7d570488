package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum"
	"github.com/modicum-proxy/modicum/examples/shop"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "demo",
		Usage: "[--port <number>] [--open]",
		Short: "Shows data minimization at work on a small shop",
		Long: `
Starts a small web shop that asks for more than it needs, and the proxy in front
of it, on this machine only. Prints what to try, and then a line for each
submission: what the shop received, what it did not receive, and why.

In the repository the policy is examples/shop/privacy.yaml itself, so that you can
edit it and watch. Elsewhere it is a copy that is deleted when the demo ends.`,
		CobraFunc: func(cmd *cobra.Command) {
			port := cmd.Flags().Int("port", defaultPort, "The port of the shop; 0: any free port")
			open := cmd.Flags().Bool("open", false, "Open the shop in the browser")
			cmd.Args = cobra.NoArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				d := &demo{port: *port, open: *open, chosen: cmd.Flags().Changed("port"), out: cmd.OutOrStdout()}
				return d.run(ctx)
			}
		},
	})
}

const defaultPort = 8080

var policyInRepository = filepath.Join("examples", "shop", "privacy.yaml")

type demo struct {
	port   int
	chosen bool // whether --port was given
	open   bool
	out    io.Writer
}

// run serves until ctx ends.
func (d *demo) run(ctx context.Context) error {
	if err := d.findPort(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "modicum-demo-")
	if err != nil {
		return fmt.Errorf("creating a directory for the consents: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system cleans it up
	policy, err := policyPath(dir)
	if err != nil {
		return err
	}
	address, stop, err := serveShop(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := d.loadCaddy(policy, address, filepath.Join(dir, "modicum.db")); err != nil {
		return err
	}
	defer caddy.Stop() //nolint:errcheck // the process ends
	d.greet(policy)
	if d.open {
		openBrowser(ctx, d.url())
	}
	<-ctx.Done()
	_, _ = fmt.Fprintln(d.out, "\nThe demo has ended.")
	return nil
}

func (d *demo) url() string { return fmt.Sprintf("http://localhost:%d", d.port) }

// findPort checks that the port is free, which Caddy does not notice where ports
// can be shared. It takes any free port if none was given.
func (d *demo) findPort(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(d.port)))
	if err != nil && d.chosen {
		return fmt.Errorf("the port %d is not available: %w; choose another with --port, or any free port with --port 0", d.port, err)
	}
	if err != nil {
		if listener, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("finding a free port: %w", err)
		}
	}
	d.port = listener.Addr().(*net.TCPAddr).Port
	return listener.Close()
}

// policyPath returns the path of the policy, which outside the repository is a
// copy in dir.
func policyPath(dir string) (string, error) {
	if _, err := os.Stat(policyInRepository); err == nil {
		return filepath.Abs(policyInRepository)
	}
	path := filepath.Join(dir, "privacy.yaml")
	if err := os.WriteFile(path, shop.Policy, 0o600); err != nil {
		return "", fmt.Errorf("writing the policy: %w", err)
	}
	return path, nil
}

// serveShop starts the application on a free port.
func serveShop(ctx context.Context) (address string, stop func(), err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("starting the shop: %w", err)
	}
	server := &http.Server{Handler: shop.New(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	return listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

// loadCaddy loads the Caddyfile of the demonstration, which reads what differs
// between runs from environment variables.
func (d *demo) loadCaddy(policy, shop, store string) error {
	for name, value := range map[string]string{
		"MODICUM_POLICY": policy, "MODICUM_SHOP": shop, "MODICUM_PORT": strconv.Itoa(d.port), "MODICUM_DB": store,
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(modicum.Caddyfile, map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return fmt.Errorf("reading the Caddyfile: %w", err)
	}
	if err := caddy.Load(config, true); err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	return nil
}

// openBrowser opens the address in the browser, and ignores errors.
func openBrowser(ctx context.Context, url string) {
	command := []string{"xdg-open", url}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", url}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", url}
	}
	open := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // G204: the address is our own
	if err := open.Start(); err == nil {
		go func() { _ = open.Wait() }()
	}
}

package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/desk"
)

func init() {
	caddycmd.RegisterCommand(consentCommand)
}

var consentCommand = caddycmd.Command{
	Name:  "consent",
	Usage: "list|show|export|withdraw",
	Short: "Lists, shows, exports and withdraws consents",
	Long: `
Works on the consents that are kept, through the admin endpoint of the Modicum
that runs (--address), or in the store itself (--store sqlite:<path>, --store
postgres, whose connection string is in the environment variable MODICUM_DSN).

A person is named by the subject, as "modicum consent list" tells it, or by
what Modicum knows them by: --email, --phone, --user or --cookie. With - the
value is read from standard input, so that it stays out of the shell's history
and of the list of processes.

Exit status: 0 when it is done; 1 when there is nothing of that kind or it could
not be carried through; 2 when the command is misspelled or nobody answers.`,
	CobraFunc: func(cmd *cobra.Command) {
		var o consentOptions
		flags := cmd.PersistentFlags()
		flags.StringVar(&o.address, "address", caddy.DefaultAdminListen, "The admin endpoint: host:port, or unix/<path>")
		flags.StringVar(&o.store, "store", "", "The store itself: sqlite:<path> or postgres")
		flags.StringSliceVar(&o.policy, "policy", nil, "With --store, the policy files (default: privacy.yaml if there is one)")
		cmd.AddCommand(o.list(), o.show(), o.export(), o.withdraw())
		command(cmd, func(cmd *cobra.Command, _ []string) (int, error) {
			return exitUsage, fmt.Errorf("expected list, show, export or withdraw; see %s --help", cmd.CommandPath())
		})
	},
}

// consentOptions are the flags that all consent commands have.
type consentOptions struct {
	address, store string
	policy         []string
}

// clerk carries out what a command asks for: a Modicum that runs, or a desk
// of our own.
type clerk interface {
	List(ctx context.Context, w io.Writer, q *desk.Query) error
	Export(ctx context.Context, w io.Writer, q *desk.Query) error
	Withdraw(ctx context.Context, q *desk.Query) ([]desk.Withdrawal, error)
}

// subcommand makes a command whose body asks a clerk.
func (o *consentOptions) subcommand(use, short string, define func(cmd *cobra.Command), run func(cmd *cobra.Command, c clerk, q *desk.Query) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	person := map[consent.Kind]*string{}
	subject := cmd.Flags().String("subject", "", "The person, by the subject as it is listed")
	for kind, help := range map[consent.Kind]string{
		consent.ByEmail: "an e-mail address", consent.ByPhone: "a telephone number",
		consent.ByUser: "the user of a login (with --realm)", consent.ByCookie: "the value of the cookie " + consent.CookieName,
	} {
		person[kind] = cmd.Flags().String(string(kind), "", "The person, by "+help)
	}
	realm := cmd.Flags().String("realm", "", "The realm of --user: the issuer of its tokens, what `realm` says in the Caddyfile, or else the host of the site")
	q := new(desk.Query)
	cmd.Flags().StringVar(&q.Purpose, "purpose", "", "Only what is about this purpose")
	define(cmd)
	command(cmd, func(cmd *cobra.Command, args []string) (int, error) {
		if len(args) > 0 {
			return exitUsage, fmt.Errorf("it takes flags only; see %s --help", cmd.CommandPath())
		}
		q.Subject = consent.Subject(*subject)
		if err := namePerson(q, person, cmd.InOrStdin()); err != nil {
			return exitUsage, err
		}
		if q.Identity != nil {
			q.Identity.Realm = *realm
		}
		// Interrupted, an export removes what it has written.
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		cmd.SetContext(ctx)
		c, closing, err := o.open(ctx)
		if err != nil {
			return exitUsage, err
		}
		err = run(cmd, c, q)
		return consentStatus(err), errors.Join(err, closing())
	})
	return cmd
}

// namePerson puts the identity that flags give into a query.
func namePerson(q *desk.Query, person map[consent.Kind]*string, stdin io.Reader) error {
	for kind, value := range person {
		if *value == "" {
			continue
		}
		if q.Identity != nil || q.Subject != "" {
			return errors.New("a person is named twice: give one of --subject, --email, --phone, --user and --cookie")
		}
		if *value == "-" {
			line, err := bufio.NewReader(stdin).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading standard input: %w", err)
			}
			*value = strings.TrimSpace(line)
		}
		q.Identity = &desk.Identity{Kind: kind, Value: *value}
	}
	return nil
}

// consentStatus returns the exit status for what a clerk says.
func consentStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, desk.ErrQuery), errors.Is(err, errUnreachable):
		return exitUsage
	}
	return exitRefused
}

// withdraw is `consent withdraw`.
func (o *consentOptions) withdraw() *cobra.Command {
	var asJSON, all *bool
	cmd := o.subcommand("withdraw (--subject <subject>|--email <address>|…) (--purpose <purpose>|--all)", "Withdraws consents on a person's behalf",
		func(cmd *cobra.Command) {
			all = cmd.Flags().Bool("all", false, "The consents to all purposes")
			asJSON = cmd.Flags().Bool("json", false, "Print one JSON document")
		},
		func(cmd *cobra.Command, c clerk, q *desk.Query) error {
			q.All = *all
			done, err := c.Withdraw(cmd.Context(), q)
			if err != nil {
				return err
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), done)
			}
			for _, w := range done {
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "withdrawn: %s of %s\n", w.Purpose, w.Subject)
			}
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), "It is stored, and in force on every proxy.")
			return nil
		})
	cmd.Long = `
Withdraws the consent to one purpose, or to all, of a person who asked for it by
letter or telephone. It says so once the withdrawal survives a power cut and no
proxy lets anything through on the consent any more; until then, do not tell
the person that it is done. What the operator did is kept as evidence.`
	return cmd
}

// jsonBody writes a query as the body of a request.
func jsonBody(q *desk.Query) io.Reader {
	body, err := json.Marshal(q)
	if err != nil {
		panic("a query has to be JSON: " + err.Error()) // it is made of strings
	}
	return strings.NewReader(string(body))
}

package command

import (
	"bufio"
	"context"
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
	"github.com/modicum-proxy/modicum/internal/consent/operator"
	"github.com/modicum-proxy/modicum/internal/subject"
)

var consentCommand = caddycmd.Command{
	Name:  "consent",
	Usage: "list|show|export|withdraw",
	Short: "Lists, shows, exports and withdraws consents",
	Long: `
Manages the consents that are stored: through the admin endpoint of a running
Modicum (--address), or by opening the store (--store sqlite:<path>, or --store
postgres with the connection string in the environment variable MODICUM_DSN).

A person is identified by the subject, as consent list prints it, or by what
identifies them to Modicum: --email, --phone, --user or --cookie. With - the value
is read from standard input, which keeps it out of the shell's history and of the
list of processes.

Exit status: 0 if it is done; 1 if nothing was found or the command failed; 2 if
the command is used incorrectly or no Modicum answers.`,
	CobraFunc: func(cmd *cobra.Command) {
		var o consentOptions
		flags := cmd.PersistentFlags()
		flags.StringVar(&o.address, "address", caddy.DefaultAdminListen, "The admin endpoint: host:port, or unix/<path>")
		flags.StringVar(&o.store, "store", "", "Open this store: sqlite:<path> or postgres")
		flags.StringSliceVar(&o.policy, "policy", nil, "With --store, the policy files (default: privacy.yaml if there is one)")
		cmd.AddCommand(o.list(), o.show(), o.export(), o.withdraw())
		setRun(cmd, func(cmd *cobra.Command, _ []string) (int, error) {
			return exitUsage, fmt.Errorf("expected list, show, export or withdraw; see %s --help", cmd.CommandPath())
		})
	},
}

type consentOptions struct {
	address, store string
	policy         []string
}

// consentBackend executes the consent commands: in a running Modicum, or in a
// store that the command opens.
type consentBackend interface {
	List(ctx context.Context, w io.Writer, q *operator.Query) error
	Export(ctx context.Context, w io.Writer, q *operator.Query) error
	Withdraw(ctx context.Context, q *operator.Query) ([]operator.Withdrawal, error)
}

// subcommand returns a command whose body calls a backend.
func (o *consentOptions) subcommand(use, short string, define func(cmd *cobra.Command), run func(cmd *cobra.Command, b consentBackend, q *operator.Query) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	person := map[subject.Kind]*string{}
	pseudonym := cmd.Flags().String("subject", "", "The person, by the subject as consent list prints it")
	for kind, help := range map[subject.Kind]string{
		subject.ByEmail: "an e-mail address", subject.ByPhone: "a telephone number",
		subject.ByUser: "the user of a login (with --realm)", subject.ByCookie: "the value of the cookie " + subject.CookieName,
	} {
		person[kind] = cmd.Flags().String(string(kind), "", "The person, by "+help)
	}
	realm := cmd.Flags().String("realm", "", "The realm of --user: the issuer of its tokens, the `realm` of the Caddyfile, or else the host of the site")
	q := new(operator.Query)
	cmd.Flags().StringVar(&q.Purpose, "purpose", "", "Only this purpose")
	define(cmd)
	setRun(cmd, func(cmd *cobra.Command, args []string) (int, error) {
		if len(args) > 0 {
			return exitUsage, fmt.Errorf("expected flags only; see %s --help", cmd.CommandPath())
		}
		q.Subject = consent.Subject(*pseudonym)
		if err := readPerson(q, person, cmd.InOrStdin()); err != nil {
			return exitUsage, err
		}
		if q.Identity != nil {
			q.Identity.Realm = *realm
		}
		// If interrupted, an export removes what it has written.
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		cmd.SetContext(ctx)
		b, closeBackend, err := o.open(ctx)
		if err != nil {
			return exitUsage, err
		}
		err = run(cmd, b, q)
		return consentStatus(err), errors.Join(err, closeBackend())
	})
	return cmd
}

// readPerson sets the identity of a query to the one that the flags give.
func readPerson(q *operator.Query, person map[subject.Kind]*string, stdin io.Reader) error {
	for kind, value := range person {
		if *value == "" {
			continue
		}
		if q.Identity != nil || q.Subject != "" {
			return errors.New("a person is identified twice: give one of --subject, --email, --phone, --user and --cookie")
		}
		if *value == "-" {
			line, err := bufio.NewReader(stdin).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading standard input: %w", err)
			}
			*value = strings.TrimSpace(line)
		}
		q.Identity = &subject.Identity{Kind: kind, Value: *value}
	}
	return nil
}

func consentStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, operator.ErrQuery), errors.Is(err, errNoModicum):
		return exitUsage
	}
	return exitRefused
}

func (o *consentOptions) withdraw() *cobra.Command {
	var asJSON, all *bool
	cmd := o.subcommand("withdraw (--subject <subject>|--email <address>|…) (--purpose <purpose>|--all)", "Withdraws consents on a person's behalf",
		func(cmd *cobra.Command) {
			all = cmd.Flags().Bool("all", false, "The consents to all purposes")
			asJSON = cmd.Flags().Bool("json", false, "Print one JSON document")
		},
		func(cmd *cobra.Command, b consentBackend, q *operator.Query) error {
			q.All = *all
			withdrawn, err := b.Withdraw(cmd.Context(), q)
			if err != nil {
				return err
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), withdrawn)
			}
			for _, w := range withdrawn {
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "withdrawn: %s of %s\n", w.Purpose, w.Subject)
			}
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), "It is stored, and in force on every proxy.")
			return nil
		})
	cmd.Long = `
Withdraws the consent to one purpose, or to all, of a person who asked for it by
letter or telephone. It reports success once the withdrawal would survive a power
cut and no proxy uses the consent; until then, do not tell the person that it is
done. The withdrawal by the operator is stored as evidence.`
	return cmd
}

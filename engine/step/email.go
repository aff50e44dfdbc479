package step

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// email sends notices through a mail server (RFC 5321; submission as in RFC 6409 and 8314).
type email struct {
	SMTP     string   `json:"smtp"` // host, or host:port
	TLS      string   `json:"tls"`  // starttls when empty; none only to this machine
	From     string   `json:"from"`
	To       []string `json:"to"`
	User     string   `json:"user"`     // no authentication when empty
	Password string   `json:"password"` // name of the secret
}

const (
	tlsAtOnce   = "tls"
	tlsNone     = "none"
	tlsStart    = "starttls"
	mailTimeout = 30 * time.Second
)

// server is the host and the port, which follows from the kind of protection where it is not written.
func (e email) server() (host string, port int, err error) {
	host, text, written := strings.Cut(e.SMTP, ":")
	switch {
	case written:
	case e.TLS == tlsAtOnce:
		return host, 465, nil
	case e.TLS == tlsNone:
		return host, 25, nil
	default:
		return host, 587, nil
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("mail server %q: want a host, or a host, a colon and a port", e.SMTP)
	}
	return host, port, nil
}

// mail sends a notice as e-mail to all recipients, or to none. Its facts are server, from, to, message_id and reply.
func (a *attempt) mail(ctx stepContext, e email, n notice) (answer string, err error) {
	host, port, err := e.server()
	if err != nil {
		return "", err
	}
	a.facts["server"] = net.JoinHostPort(host, strconv.Itoa(port))
	msg, err := a.message(e, n)
	if err != nil {
		return "", err
	}
	client, err := a.mailClient(ctx, e, host, port)
	if err != nil {
		return "", fmt.Errorf("prepare for the mail server %s: %w", host, err)
	}
	connection, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return "", fmt.Errorf("greet the mail server %s: %w", a.facts["server"], err)
	}
	defer func() { _ = client.CloseWithSMTPClient(connection) }() // what was to be said was said
	if err := client.SendWithSMTPClient(connection, msg); err != nil {
		return "", mailError(err)
	}
	a.facts["reply"] = oneLine(clean(msg.ServerResponse()))
	return a.facts["reply"], nil
}

// mailError says whether the server may have taken a message that it gave no answer to.
func mailError(err error) error {
	var says *mail.SendError
	if !errors.As(err, &says) || says.ErrorCode() != 0 {
		return fmt.Errorf("the mail server refused: %w", err)
	}
	if says.Reason == mail.ErrSMTPDataClose {
		return &sentError{fmt.Errorf("the mail server did not answer: %w", err)}
	}
	return fmt.Errorf("talk to the mail server: %w", err)
}

// message writes a notice as plain text. No header holds foreign text but the subject, which is one line.
func (a *attempt) message(e email, n notice) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(e.From); err != nil {
		return nil, fmt.Errorf("the sender: %w", err)
	}
	if err := msg.To(e.To...); err != nil {
		return nil, fmt.Errorf("the recipients: %w", err)
	}
	sum := sha256.Sum256([]byte(n.key))
	_, domain, _ := strings.Cut(e.From, "@")
	id := hex.EncodeToString(sum[:16]) + "@" + domain
	msg.Subject(strings.ReplaceAll(n.title, "=?", "= ?")) // go-mail takes it for encoded, and readers would decode it (RFC 2047)
	msg.SetMessageIDWithValue(id)
	msg.SetDateWithValue(a.cfg.Now())
	msg.SetUserAgent("pullbook")
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence is to be answered
	msg.SetGenHeader("X-Pullbook-Key", n.key)
	msg.SetBodyString(mail.TypeTextPlain, fmt.Sprintf("%s\n\n-- \nPullbook: incident %s, step %s\n%s\n", n.text, a.job.Incident, a.job.Step, a.job.PullURL))
	a.facts["from"], a.facts["to"], a.facts["message_id"] = e.From, strings.Join(e.To, ", "), "<"+id+">"
	return msg, nil
}

// mailClient connects as the step's other connections do: to the same addresses, and no longer than ctx.
func (a *attempt) mailClient(ctx context.Context, e email, host string, port int) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(mailTimeout),
		mail.WithoutNoop(), mail.WithTLSConfig(a.tlsTo(host)),
		mail.WithDialContextFunc(func(dialling context.Context, network, address string) (net.Conn, error) {
			conn, err := a.mailDial(dialling, e, network, address)
			if err == nil {
				context.AfterFunc(ctx, func() { _ = conn.Close() }) // go-mail knows time limits, but no cancellation
			}
			return conn, err
		}),
	}
	switch e.TLS {
	case tlsAtOnce, tlsNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case tlsStart, "":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		return nil, fmt.Errorf("tls %q: want starttls, tls or none", e.TLS)
	}
	if e.User != "" {
		password, err := fill("$"+e.Password, a.secrets)
		if err != nil {
			return nil, fmt.Errorf("the password: %w", err)
		}
		// PLAIN and LOGIN are used on protected connections and to this machine only: go-mail sees to that.
		options = append(options, mail.WithUsername(e.User), mail.WithPassword(password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	return mail.NewClient(host, options...)
}

func (a *attempt) tlsTo(host string) *tls.Config {
	return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: a.roots}
}

// mailDial connects to the mail server, and protects the connection where that is done at once.
func (a *attempt) mailDial(ctx context.Context, e email, network, address string) (net.Conn, error) {
	conn, err := a.dialer().DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if e.TLS == tlsNone {
		to, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		if err != nil || !to.Addr().Unmap().IsLoopback() {
			return nil, errors.Join(errors.New("without TLS mail goes to this machine only"), conn.Close())
		}
	}
	if e.TLS != tlsAtOnce {
		return conn, nil
	}
	host, _, _ := strings.Cut(e.SMTP, ":")
	protected := tls.Client(conn, a.tlsTo(host))
	if err := protected.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return protected, nil
}

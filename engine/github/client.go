package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"
)

// Config says which hub, which App and which repository.
type Config struct {
	BaseURL        string // root of the REST API, such as https://ghe.example.com/api/v3; empty: github.com
	AppID          int64
	InstallationID int64  // 0: the one on the repository
	Key            []byte // the App's private key, PEM
	Owner, Repo    string
	Limits         Limits

	HTTP   http.RoundTripper // nil: a transport of this client's own
	Now    func() time.Time  // nil: time.Now
	Logger *slog.Logger      // nil: silence
}

// Client talks to the hub about one repository. Its methods may be called side by side.
type Client struct {
	owner, repo   string
	gitURL        string
	graphql       string // address
	defaultBranch string
	installation  int64
	app           int64
	bot           gh.User

	asApp  *gh.Client
	hub    *gh.Client
	tokens *tokens
	// signedIn makes a client for one repository of the installation.
	signedIn func(name string) (*gh.Client, *tokens, error)
	others   struct {
		sync.Mutex
		hubs map[string]*gh.Client // by repository, of the same owner
	}
	wire   *wire
	budget *Budget
	known  known
	now    func() time.Time
	log    *slog.Logger
}

// New signs in as the App and reads what does not change: the installation, the App's bot and the default branch. It
// fails when the App, its installation or the repository is not what the configuration says.
func New(ctx context.Context, cfg Config) (*Client, error) {
	c, at, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	slug, err := c.findApp(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.signIn(at, cfg.Key); err != nil {
		return nil, err
	}
	return c, c.findRepository(ctx, slug)
}

// Reach makes a client that has asked the hub for nothing, but for the installation where the configuration does not name it.
// It can make tokens and survey the repository; Meet makes it whole.
func Reach(ctx context.Context, cfg Config) (*Client, error) {
	c, at, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.findInstallation(ctx); err != nil {
		return nil, err
	}
	return c, c.signIn(at, cfg.Key)
}

// Meet reads what New reads, for a client that Reach made. It is called before anything else is done with the client.
func (c *Client) Meet(ctx context.Context) error {
	slug, err := c.findApp(ctx)
	if err != nil {
		return err
	}
	return c.findRepository(ctx, slug)
}

func prepare(cfg Config) (*Client, address, error) {
	at, err := parseAddress(cfg.BaseURL)
	if err != nil {
		return nil, at, err
	}
	if !plain(cfg.Owner) || !plain(cfg.Repo) {
		return nil, at, fmt.Errorf("repository %q/%q is not a name on the hub", cfg.Owner, cfg.Repo)
	}
	c := &Client{owner: cfg.Owner, repo: cfg.Repo, app: cfg.AppID, installation: cfg.InstallationID,
		gitURL: at.git + "/" + cfg.Owner + "/" + cfg.Repo + ".git", graphql: at.graphql, now: cfg.Now, log: cfg.Logger}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.wire = newWire(at, cfg.HTTP)
	c.budget = NewBudget(cfg.Limits, clockPace{c.now})
	c.asApp, err = c.appClient(at, cfg.Key)
	return c, at, err
}

// appClient signs as the App itself.
func (c *Client) appClient(at address, key []byte) (*gh.Client, error) {
	tr, err := ghinstallation.NewAppsTransport(c.wire, c.app, key)
	if err != nil {
		// The library's error quotes the parser, and the parser may quote the key.
		return nil, errors.New("read the App's private key: it is not an RSA key in PEM")
	}
	return newHubClient(at, tr), nil
}

// signIn prepares the client that signs as the installation, with a token for this repository alone.
func (c *Client) signIn(at address, key []byte) (err error) {
	c.signedIn = func(name string) (*gh.Client, *tokens, error) {
		fresh := func() (*ghinstallation.Transport, error) {
			tr, err := ghinstallation.New(c.wire, c.app, c.installation, key)
			if err != nil {
				return nil, errors.New("read the App's private key: it is not an RSA key in PEM")
			}
			tr.BaseURL = strings.TrimSuffix(at.api.String(), "/")
			tr.InstallationTokenOptions = &gh.InstallationTokenOptions{Repositories: []string{name}}
			return tr, nil
		}
		tr, err := fresh()
		if err != nil {
			return nil, nil, err
		}
		tokens := &tokens{fresh: fresh, current: tr}
		return newHubClient(at, tokens), tokens, nil
	}
	c.hub, c.tokens, err = c.signedIn(c.repo)
	return err
}

func newHubClient(at address, tr http.RoundTripper) *gh.Client {
	c := gh.NewClient(&http.Client{Transport: tr, CheckRedirect: checkRedirect})
	c.BaseURL = at.api
	c.UserAgent = "pullbook"
	return c
}

// findApp checks that the key belongs to the App, and finds its installation on the repository.
func (c *Client) findApp(ctx context.Context) (slug string, err error) {
	var self *gh.App
	err = c.read("sign in as the App", func() error {
		self, _, err = c.asApp.Apps.Get(ctx, "")
		return err
	})
	if err != nil {
		return "", err
	}
	if self.GetID() != c.app || !plain(self.GetSlug()) {
		return "", fmt.Errorf("the key belongs to App %d, not to App %d", self.GetID(), c.app)
	}
	return self.GetSlug(), c.findInstallation(ctx)
}

// findInstallation asks for the App's installation on the repository, unless it is known.
func (c *Client) findInstallation(ctx context.Context) error {
	if c.installation != 0 {
		return nil
	}
	return c.read(fmt.Sprintf("find the App's installation on %s/%s", c.owner, c.repo), func() error {
		found, _, err := c.asApp.Apps.FindRepositoryInstallation(ctx, c.owner, c.repo)
		c.installation = found.GetID()
		return err
	})
}

// findRepository reads the default branch, and who the App's bot is.
func (c *Client) findRepository(ctx context.Context, slug string) error {
	var repo *gh.Repository
	err := c.read("read the repository "+c.owner+"/"+c.repo, func() (err error) {
		repo, _, err = c.hub.Repositories.Get(ctx, c.owner, c.repo)
		return err
	})
	if err != nil {
		return err
	}
	if name := c.owner + "/" + c.repo; !strings.EqualFold(repo.GetFullName(), name) {
		return fmt.Errorf("the hub knows %s as %q: configure that name", name, repo.GetFullName())
	}
	c.defaultBranch = repo.GetDefaultBranch()
	if c.defaultBranch == "" {
		return fmt.Errorf("the repository %s/%s has no default branch", c.owner, c.repo)
	}
	login := slug + "[bot]"
	return c.read("find the App's bot "+login, func() error {
		bot, _, err := c.hub.Users.Get(ctx, url.PathEscape(login))
		if err == nil {
			c.bot = gh.User{ID: bot.ID, Login: bot.Login}
		}
		return err
	})
}

// Credentials returns a user and a password with which git may read and write the repository. The password ends within
// the hour; ask again for each session.
func (c *Client) Credentials(ctx context.Context) (user, password string, err error) {
	err = c.read("make a token for git", func() error {
		password, err = c.tokens.token(ctx)
		return err
	})
	return "x-access-token", password, err
}

// Reject says that git was not let in with a password that Credentials gave: the hub has revoked it. The next one is another.
func (c *Client) Reject(password string) { c.tokens.reject(password) }

// GitURL is the repository's address for git, without credentials.
func (c *Client) GitURL() string { return c.gitURL }

// DefaultBranch is the branch into which incidents are merged, as it was when the client was made.
func (c *Client) DefaultBranch() string { return c.defaultBranch }

// Bot is the login of the App's bot.
func (c *Client) Bot() string { return c.bot.GetLogin() }

// InstallationID is the App's installation on the repository.
func (c *Client) InstallationID() int64 { return c.installation }

// Calls returns how often the hub was asked for what, since the client was made.
func (c *Client) Calls() []Call { return c.wire.calls.list() }

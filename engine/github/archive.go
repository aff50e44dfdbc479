package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	gh "github.com/google/go-github/v60/github"
)

const (
	// maxArchive is how large an archive may be that is fetched, in bytes: artifacts with output, and logs.
	maxArchive  = 32 << 20
	archiveTime = time.Minute
)

// errArchive says that an archive is not fetched, whatever the hub says of it.
var errArchive = errors.New("the archive is larger than 32 MiB")

// RunArtifact fetches the newest artifact of a name that a run has left since a time, as a zip file. One that is not there, or
// too large, has a problem instead, as a part of a sentence.
func (c *Client) RunArtifact(ctx context.Context, repo string, run int64, name string, since time.Time) (archive []byte, problem string, err error) {
	place, hub, err := c.elsewhere(repo)
	if err != nil {
		return nil, "", err
	}
	all, err := pages(c, fmt.Sprintf("list the artifacts of run %d", run), func(o gh.ListOptions) ([]*gh.Artifact, *gh.Response, error) {
		list, resp, err := hub.Actions.ListWorkflowRunArtifacts(ctx, c.owner, place, run, &o)
		if err != nil {
			return nil, resp, err
		}
		return list.Artifacts, resp, nil
	}, nil)
	if err != nil {
		return nil, "", err
	}
	var newest *gh.Artifact
	for _, a := range all {
		if a.GetName() == name && !a.GetCreatedAt().Before(since) && (newest == nil || newest.GetID() < a.GetID()) { // times are in whole seconds
			newest = a
		}
	}
	switch {
	case newest == nil:
		return nil, fmt.Sprintf("it left no artifact %s", name), nil
	case newest.GetExpired():
		return nil, fmt.Sprintf("its artifact %s has expired", name), nil
	case newest.GetSizeInBytes() > maxArchive:
		return nil, fmt.Sprintf("its artifact %s is larger than 32 MiB", name), nil
	}
	return c.fetch(ctx, hub, fmt.Sprintf("repos/%s/%s/actions/artifacts/%d/zip", c.owner, place, newest.GetID()), "artifact "+name)
}

// RunLogs fetches the logs of a run as a zip file. What is not there any more, or too large, has a problem instead.
func (c *Client) RunLogs(ctx context.Context, repo string, run int64) (archive []byte, problem string, err error) {
	place, hub, err := c.elsewhere(repo)
	if err != nil {
		return nil, "", err
	}
	return c.fetch(ctx, hub, fmt.Sprintf("repos/%s/%s/actions/runs/%d/logs", c.owner, place, run), "archive of logs")
}

// fetch reads an archive. The hub sends its readers on to a storage elsewhere, by an address that needs no credential and gets
// none.
func (c *Client) fetch(ctx context.Context, hub *gh.Client, path, what string) (archive []byte, problem string, err error) {
	ctx, cancel := context.WithTimeout(ctx, archiveTime)
	defer cancel()
	err = c.read("fetch the "+what, func() error {
		req, err := hub.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		resp, err := hub.Client().Transport.RoundTrip(req.WithContext(ctx)) // follows nothing by itself
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusFound {
			resp.Body.Close()
			if resp, err = c.storage(ctx, resp.Header.Get("Location")); err != nil {
				return err
			}
		}
		defer resp.Body.Close()
		if err := gh.CheckResponse(resp); err != nil {
			return err
		}
		if archive, err = io.ReadAll(io.LimitReader(resp.Body, maxArchive+1)); err == nil && len(archive) > maxArchive {
			err = errArchive
		}
		return err
	})
	e, answered := errors.AsType[*Error](err)
	switch {
	case answered && (e.Status == http.StatusNotFound || e.Status == http.StatusGone):
		return nil, fmt.Sprintf("its %s is not there any more", what), nil
	case errors.Is(err, errArchive) || errors.Is(err, errTooLarge):
		return nil, fmt.Sprintf("its %s is larger than 32 MiB", what), nil
	case err != nil:
		return nil, "", err
	}
	return archive, "", nil
}

// storage asks the place that the hub has named, which is another host as a rule. Only TLS will do, unless it is the hub itself.
func (c *Client) storage(ctx context.Context, address string) (*http.Response, error) {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || at.User != nil {
		return nil, errors.New("the hub names no storage that could be asked")
	}
	if at.Scheme != "https" && (at.Scheme != c.wire.api.Scheme || at.Host != c.wire.api.Host) {
		return nil, errors.New("the hub names a storage that is not asked by TLS")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, errors.New("the hub names no storage that could be asked")
	}
	return c.wire.base.RoundTrip(req)
}
